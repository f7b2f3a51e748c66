// Package qrcode shows a text as a QR code: as a picture, and as lines of text for where there are
// only letters. A text that no code holds has neither; whoever shows a code shows its text, too.
package qrcode

import (
	"strings"

	"rsc.io/qr"
)

// PNG is the code as a picture; nil when there is none.
func PNG(text string) []byte {
	code := encode(text)
	if code == nil {
		return nil
	}
	return code.PNG()
}

// quiet is the margin that cameras need, in modules.
const quiet = 2

// Lines are the code as text, two rows of modules in a line, black where letters are; nil when there
// is none.
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
	if err != nil { // longer than any code holds
		return nil
	}
	return code
}
