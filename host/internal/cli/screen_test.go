package cli

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/qrcode"
	"github.com/tapnode/tapnode/sdk/client"
)

// glass is a terminal's display: lines, and the two control sequences that the screen uses.
type glass struct {
	lines   []string
	colours int // lines that set their own colours
}

var obeyed = regexp.MustCompile(`^\x1b\[(\d*)([A-Za-z;0-9]*?)([FJm])`)

func (g *glass) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		for strings.HasPrefix(line, "\x1b[") && !strings.HasPrefix(line, "\x1b[30;107m") {
			m := obeyed.FindStringSubmatch(line)
			line = line[len(m[0]):]
			if n, err := strconv.Atoi(m[1]); m[3] == "F" && err == nil {
				g.lines = g.lines[:len(g.lines)-n] // and J clears what is below
			}
		}
		if strings.HasPrefix(line, "\x1b[30;107m") && strings.HasSuffix(line, "\x1b[0m\n") {
			g.colours++
		}
		if line != "" {
			g.lines = append(g.lines, strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "\x1b[30;107m"), "\x1b[0m"))
		}
	}
	return len(b), nil
}

func stage(t *testing.T, name, message string, data map[string]string) client.Progress {
	t.Helper()
	raw, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return client.Progress{Stage: name, Message: message, Data: raw}
}

// A terminal shows one QR code at a time, the current one, in its own colours; it disappears when
// it is scanned.
func TestQRCodesTakeTurnsOnATerminal(t *testing.T) {
	var g glass
	s := screen{w: &g, live: true}
	s.show(stage(t, "connecting", "Asking WhatsApp", nil))
	for _, code := range []string{"https://wa.me/#first", "https://wa.me/#second, which is longer than the first and takes more lines on the screen than it"} {
		s.show(stage(t, "qr", "Scan this with the phone, whose menu has Linked devices, "+strings.Repeat("and so on ", 10), map[string]string{"qr": code}))
		want := qrcode.Lines(code)
		if len(g.lines) != 2+len(want) || !slices.Equal(g.lines[2:], want) || len(g.lines[1]) > 80 {
			t.Errorf("the terminal shows\n%s", strings.Join(g.lines, "\n"))
		}
	}
	if g.colours == 0 {
		t.Error("whether the code can be read depends on the colours of the terminal")
	}
	s.show(stage(t, "paired", "The phone agreed", nil))
	s.show(stage(t, "code", "Type this", map[string]string{"code": "ABCD-2345"}))
	s.show(stage(t, "odd\x1b[2J", "from\x07 a node", nil))
	if want := []string{"connecting: Asking WhatsApp", "paired: The phone agreed", "code: Type this", "ABCD-2345", `odd\x1b[2J: from\a a node`}; !slices.Equal(g.lines, want) {
		t.Errorf("the terminal shows %q", g.lines)
	}
}

// If nobody is watching, codes are lines of text.
func TestQRCodesAsLines(t *testing.T) {
	var g glass
	s := screen{w: &g, plain: true}
	for _, code := range []string{"first", "second"} {
		s.show(stage(t, "qr", "Scan this", map[string]string{"qr": code}))
	}
	if !slices.Equal(g.lines, []string{"qr: first", "qr: second"}) || g.colours > 0 {
		t.Errorf("the lines are %q", g.lines)
	}
}
