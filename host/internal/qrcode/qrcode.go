// Package qrcode renders a text as a QR code: as an image, or as lines of text for places that can
// show only characters. Both are nil for a text that is empty or too long for a QR code, so callers
// show the text, too.
package qrcode

import (
	"strings"

	"rsc.io/qr"
)

// PNG returns the code as an image; nil if the text has none.
func PNG(text string) []byte {
	code := encode(text)
	if code == nil {
		return nil
	}
	return code.PNG()
}

// quiet is the width in modules of the margin that cameras need.
const quiet = 2

// Lines returns the code as text, two rows of modules per line, black where characters are; nil if
// the text has none.
func Lines(text string) []string {
	code := encode(text)
	if code == nil {
		return nil
	}
	var lines []string
	for y := -quiet; y < code.Size+quiet; y += 2 {
		var line strings.Builder
		for x := -quiet; x < code.Size+quiet; x++ {
			switch top, bottom := code.Black(x, y), code.Black(x, y+1); {
			case top && bottom:
				line.WriteRune('█')
			case top:
				line.WriteRune('▀')
			case bottom:
				line.WriteRune('▄')
			default:
				line.WriteByte(' ')
			}
		}
		lines = append(lines, line.String())
	}
	return lines
}

func encode(text string) *qr.Code {
	if text == "" {
		return nil
	}
	code, err := qr.Encode(text, qr.L)
	if err != nil { // the text is too long for any code
		return nil
	}
	return code
}
