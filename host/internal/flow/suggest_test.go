package flow

import (
	"strings"
	"testing"
)

// A suggestion is a name that was probably mistyped, not just the nearest name there is.
func TestDidYouMean(t *testing.T) {
	for _, c := range []struct{ name, candidates, want string }{
		{"mneu", "menu phone", "menu"},
		{"Name", "name", "name"},
		{"phon", "name phone", "phone"},
		{"whatsapp.sendButton@1", "whatsapp.sendButtons@1 whatsapp.sendText@1", "whatsapp.sendButtons@1"},
		{"log@2", "log@1 set@1", "log@1"},
		{"--simulat", "--simulate --json", "--simulate"},
		{"aks", "ask a", "ask"},
		{"valdiate", "validate run", "validate"},
		{"b", "a", ""},
		{"x", "ok", ""},
		{"to", "at", ""},
		{"--x", "--v", ""},
		{"start", "stop", ""},
		{"wait@1", "set@1 log@1", ""},
		{"sleep@1", "set@1", ""},
		{"button", "bottom", "bottom"},
		{"order", "under", ""},
		{"delete", "select", ""},
	} {
		got := DidYouMean(c.name, strings.Fields(c.candidates))
		if c.want == "" && strings.HasPrefix(got, "did") || c.want != "" && got != `did you mean "`+c.want+`"?` {
			t.Errorf("%s of %s: %s, want %q", c.name, c.candidates, got, c.want)
		}
	}
}
