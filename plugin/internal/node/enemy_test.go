package node

import (
	"errors"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/sdk"
)

// TestHostileSettings: settings that the real binary refuses come back as a Problem, never with the
// secret in it, and the next valid settings are accepted.
func TestHostileSettings(t *testing.T) {
	const password = "hunter2-and-more"
	node := startChild(t)
	dir := t.TempDir()
	for _, c := range []struct {
		name, settings, dsn string
		violations          bool // otherwise the database is at fault
	}{
		{"unknown member", `{"colour":"red"}`, "", true},
		{"wrong type", `{"pacing":{"perMinute":"many"}}`, "", true},
		{"out of range", `{"timeouts":{"ack":-1}}`, "", true},
		{"not whole", `{"timeouts":{"ack":1.5}}`, "", true},
		{"huge", `{"media":{"maxBytes":1e300}}`, "", true},
		{"unknown profile", `{"encoder":{"profile":"fancy"}}`, "", true},
		{"key without a server", `{"server":{"rootKey":"00"}}`, "", true},
		{"key that is none", `{"server":{"url":"http://127.0.0.1:1","rootKey":"zz"}}`, "", true},
		{"server that is far", `{"server":{"url":"http://192.0.2.1:80","rootKey":"` + strings.Repeat("0", 64) + `"}}`, "", true},
		{"server that is no address", `{"server":{"url":"\u0000","rootKey":"` + strings.Repeat("0", 64) + `"}}`, "", true},
		{"secret among the settings", `{"store":{"dsn":"postgres://u:` + password + `@127.0.0.1:1/db"}}`, "", true},
		{"secret that is no address", `{}`, "://" + password + "\xff\x00", false},
		{"secret of the wrong kind", `{}`, "mysql://u:" + password + "@127.0.0.1:1/db", false},
		{"database that is not there", `{}`, "postgres://u:" + password + "@127.0.0.1:1/db?connect_timeout=2", false},
		{"database that is not there, in words", `{}`, "host=127.0.0.1 port=1 user=u password=" + password, false},
	} {
		setup := sdk.Setup{Settings: []byte(c.settings), StateDir: dir}
		if c.dsn != "" {
			setup.Secrets = map[string][]byte{"/store/dsn": []byte(c.dsn)}
		}
		err := node.Configure(t.Context(), setup)
		p, ok := errors.AsType[*sdk.Problem](err)
		if err == nil || c.violations && (!ok || len(p.Violations) == 0) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if strings.Contains(err.Error(), password) || ok && strings.Contains(p.Message, password) {
			t.Errorf("%s: the secret is in the answer: %v", c.name, err)
		}
	}
	if err := node.Configure(t.Context(), sdk.Setup{Settings: []byte(`{}`), StateDir: dir}); err != nil {
		t.Errorf("good settings afterwards: %v", err)
	}
	node.kill()
	if strings.Contains(node.log.String(), password) || strings.Contains(node.log.String(), "goroutine ") {
		t.Errorf("the log:\n%s", node.log)
	}
}
