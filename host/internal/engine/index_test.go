package engine_test

import (
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine"
)

func TestSubject(t *testing.T) {
	for in, want := range map[string]string{
		"+55 (11) 99999-0001":             "5511999990001",
		"5511999990001@s.whatsapp.net":    "5511999990001",
		"5511999990001:12@s.whatsapp.net": "5511999990001",
		"123456789:3@lid":                 "123456789@lid",
		"120363021@g.us":                  "120363021@g.us",
		" 3EB0C767D097B7 ":                "3EB0C767D097B7",
		"":                                "",
	} {
		if got := engine.Subject(in); got != want {
			t.Errorf("Subject(%q) = %q, want %q", in, got, want)
		}
	}
	if got := engine.Subject(string(make([]byte, 200))); got != "" {
		t.Errorf("of a long text: %q", got)
	}
}
