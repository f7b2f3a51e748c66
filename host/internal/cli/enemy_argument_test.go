package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/sdk"
)

// TestHostileArguments: a typo or an attack on the command line ends with exit code 2 and a line on
// stderr that is safe for a terminal.
func TestHostileArguments(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	data := filepath.Join(dir, "data")
	list := filepath.Join(dir, "list.json")
	if err := os.WriteFile(list, []byte(`{"whatsapp-send-buttons":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	huge := strings.Repeat("x", 100_000)
	const bytes255 = "\xff\xfe\x1b[31m"
	for _, args := range [][]string{
		{},
		{""},
		{bytes255},
		{huge},
		{"--version"},
		{"run"},
		{"run", ""},
		{"run", "a", "b"},
		{"run", huge},
		{"run", bytes255},
		{"run", dir},
		{"run", simulated, "--click", "a"},
		{"run", simulated, "--simulate", "--click"},
		{"run", simulated, "--simulate", "--click", ""},
		{"run", simulated, "--simulate", "--var", ""},
		{"run", simulated, "--simulate", "--var", "="},
		{"run", simulated, "--simulate", "--var", "name"},
		{"run", simulated, "--simulate", "--var", "phone=" + bytes255},
		{"run", simulated, "--simulate", "--var", "phone=" + huge},
		{"run", simulated, "--settings", "/dev/zero"},
		{"run", simulated, "--settings", dir},
		{"run", simulated, "--settings", filepath.Join(dir, "none.json")},
		{"run", simulated, "--settings", simulated},
		{"run", simulated, "--simulate", "--settings", list},
		{"run", "--", "-x"},
		{"run", "---"},
		{"run", "--json=maybe"},
		{"serve", "--listen", ""},
		{"serve", "--listen", "127.0.0.1:99999"},
		{"serve", "--listen", "127.0.0.1:" + bytes255},
		{"serve", "--listen", "192.0.2.1:80"},
		{"serve", filepath.Join(dir, "none.yaml")},
		{"call"},
		{"call", ""},
		{"call", bytes255},
		{"call", "whatsapp.buttonClick@1"},
		{"call", "whatsapp.instance.create@1", "--input", ""},
		{"call", "whatsapp.instance.create@1", "--input", "{"},
		{"call", "whatsapp.instance.create@1", "--input", bytes255},
		{"call", "whatsapp.instance.create@1", "--key", huge, "--input", `{"instance":"a"}`},
		{"validate"},
		{"validate", "", dir, "/dev/null", "/dev/zero", huge, bytes255},
		{"nodes", "look"},
		{"nodes", "lock", "x"},
		{"tokens"},
		{"tokens", bytes255},
		{"tokens", "create", "x"},
		{"tokens", "create", "--expires", bytes255},
		{"tokens", "rotate"},
		{"tokens", "rotate", "x", "--grace", huge},
		{"audit", bytes255},
		{"help", bytes255},
	} {
		if len(args) > 1 { // no test reaches the real WhatsApp, or the real data
			switch args[0] {
			case "call", "serve":
				args = append([]string{args[0], "--simulate"}, args[1:]...)
			case "run":
				if !slices.Contains(args, "--simulate") {
					args = append([]string{"run", "--data", data}, args[1:]...)
				}
			}
		}
		var out, errs bytes.Buffer
		code := Main(args, &out, &errs)
		said := errs.String()
		if code != exitInvalid || said == "" || strings.Contains(said, "level=") {
			t.Errorf("tapnode %.200q: exit code %d\n%.300s\n%.300s", args, code, &out, said)
		}
		if strings.Contains(said, "\x1b") || strings.Contains(said, "\xff") || strings.Contains(said, "goroutine ") {
			t.Errorf("tapnode %.200q: not fit for a terminal: %.300q", args, said)
		}
	}
}

// An input that is too long for a call is refused as such, and not cut.
func TestInputTooLong(t *testing.T) {
	t.Parallel()
	if raw, err := readAll(t.Context(), bytes.NewReader(make([]byte, sdk.MaxMessage))); err != nil || len(raw) != sdk.MaxMessage {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
	if _, err := readAll(t.Context(), bytes.NewReader(make([]byte, sdk.MaxMessage+1))); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("one more: %v", err)
	}
}
