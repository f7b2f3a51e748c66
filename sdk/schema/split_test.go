package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitSecrets(t *testing.T) {
	s, err := Compile([]byte(`{
		"type": "object",
		"properties": {
			"store": {"type": "object", "properties": {"dsn": {"type": "string", "writeOnly": true}, "size": {"type": "integer"}}},
			"a/b": {"type": "string", "writeOnly": true},
			"list": {"type": "array", "items": {"type": "string", "writeOnly": true}}
		}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, settings, plain string
		secrets               map[string][]byte
	}{
		{"none", `{"store": {"size": 1}}`, `{"store": {"size": 1}}`, nil},
		{"empty", ``, ``, nil},
		{"nested", `{"store":{"dsn":"postgres://x","size":12345678901234567890}}`, `{"store":{"size":12345678901234567890}}`, map[string][]byte{"/store/dsn": []byte("postgres://x")}},
		{"escaped name", `{"a/b":"k"}`, `{}`, map[string][]byte{"/a~1b": []byte("k")}},
		{"not text: CheckSettings explains", `{"store":{"dsn":5}}`, `{"store":{"dsn":5}}`, nil},
		{"in a list: CheckSettings explains", `{"list":["k"]}`, `{"list":["k"]}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			plain, secrets, err := s.SplitSecrets([]byte(c.settings))
			if err != nil || string(plain) != c.plain || cmp.Diff(c.secrets, secrets) != "" {
				t.Errorf("got %s, %q, %v", plain, secrets, err)
			}
			if _, findings := s.CheckSettings(plain, secrets); len(secrets) > 0 && len(findings) > 0 {
				t.Errorf("what was split is refused: %+v", findings)
			}
		})
	}
	if _, _, err := s.SplitSecrets([]byte(`{`)); err == nil {
		t.Error("broken JSON was taken")
	}
}
