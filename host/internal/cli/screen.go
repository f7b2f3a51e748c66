package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/tapnode/tapnode/host/internal/qrcode"
	"github.com/tapnode/tapnode/sdk/client"
)

// screen shows the progress of a call: each stage on a line, and the code that the phone needs.
type screen struct {
	w io.Writer
	// live means that w is a terminal: a QR code is drawn over the previous one, which is no longer
	// valid.
	live bool
	// plain means that nobody is watching: codes are printed as lines of text.
	plain bool

	drawn int // lines that the next stage is written over
}

func (s *screen) show(p client.Progress) {
	var data struct {
		QR   string `json:"qr"`
		Code string `json:"code"`
	}
	if len(p.Data) > 0 && json.Unmarshal(p.Data, &data) != nil {
		data.QR, data.Code = "", "" // progress data of another node
	}
	var out strings.Builder
	if s.live && s.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dF\x1b[J", s.drawn) // up, and clear what is below
	}
	said := fmt.Sprintf("%s: %s\n", printable(p.Stage), strings.ReplaceAll(printable(p.Message), "\n", " "))
	if s.live {
		said = fmt.Sprintf("%.76s\n", strings.TrimSpace(said)) // it must not take two lines
	}
	code := data.QR + data.Code
	switch {
	case s.plain && code != "":
		fmt.Fprintf(&out, "%s: %s\n", printable(p.Stage), printable(code))
	case data.QR != "":
		out.WriteString(said)
		drawQR(&out, data.QR)
	case data.Code != "":
		out.WriteString(said)
		fmt.Fprintln(&out, printable(data.Code))
	default:
		out.WriteString(said)
	}
	text := out.String()
	_, _ = io.WriteString(s.w, text) // the console keeps the error
	if s.drawn = 0; data.QR != "" {
		s.drawn = strings.Count(text, "\n")
	}
}

// drawQR draws a QR code dark on light, whatever the terminal's colours.
func drawQR(w io.Writer, text string) {
	lines := qrcode.Lines(text)
	if lines == nil {
		fmt.Fprintln(w, text)
	}
	for _, line := range lines {
		fmt.Fprintf(w, "\x1b[30;107m%s\x1b[0m\n", line)
	}
}
