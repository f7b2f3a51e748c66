package sdk

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"
)

type closing struct {
	bytes.Buffer
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestPassHandshake(t *testing.T) {
	const line = "1|1|unix|/run/x/plugin123|grpc|Y2VydA\n"
	tests := []struct{ name, in, stdout, stderr string }{
		{"alone", line, line, ""},
		{"noise around it", "hello\n" + line + "more\nand half", line, "hello\nmore\nand half"},
		{"only one", line + line, line, line},
		{"alike", "1|2|3\n1|1|unix|x|netrpc|\n", "", "1|2|3\n1|1|unix|x|netrpc|\n"},
		{"no line at all", "half", "", "half"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out closing
			var errs bytes.Buffer
			passHandshake(strings.NewReader(tt.in), &out, &errs, func() { t.Error("unheard") })
			if out.String() != tt.stdout || errs.String() != tt.stderr || out.closed != (tt.stdout != "") {
				t.Errorf("stdout %q (closed %v), stderr %q", out.String(), out.closed, errs.String())
			}
		})
	}
}

func TestLogHasTheNamesOfHclog(t *testing.T) {
	var w bytes.Buffer
	log := slog.New(newLogHandler(&w, "DEBUG"))
	log.Debug("small", "time", "mine", "level", "mine", "n", 1, "took", 1500*time.Millisecond, slog.Group("g", "took", time.Minute))
	log.Error(strings.Repeat("x", maxLogLine))
	if text := w.String(); !strings.Contains(text, `"took":"1.5s"`) || !strings.Contains(text, `"took":"1m0s"`) {
		t.Errorf("durations are not for people: %s", text)
	}
	for i, want := range []string{`"small"`, `"a log line was too long and is left out"`} {
		line, err := w.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var entry map[string]any
		if err := json.Unmarshal(line, &entry); err != nil || entry["@level"] == nil || entry["@timestamp"] == nil || !bytes.Contains(line, []byte(`"@message":`+want)) {
			t.Errorf("line %d: %s (%v)", i, line, err)
		}
	}
}
