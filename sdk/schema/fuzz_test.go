package schema_test

import (
	"bytes"
	"testing"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// FuzzCheck requires that nothing panics, that pointers are valid, and that a filled document
// passes again unchanged.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{`{"kind":"A"}`, `{"kind":"B","list":[{"type":"URL"}]}`, `{"n":1e30}`, `{"list":[[[1]]]}`} {
		f.Add([]byte(seed))
	}
	s := compile(f, shape)
	f.Fuzz(func(t *testing.T, document []byte) {
		filled, findings := s.Check(document)
		for _, finding := range findings {
			if _, ok := jsonstrict.Tokens(finding.Pointer); !ok || finding.Code == "" || finding.Message == "" {
				t.Fatalf("%q: %+v", document, finding)
			}
		}
		if len(findings) > 0 {
			return
		}
		again, findings := s.Check(filled)
		if !bytes.Equal(again, filled) || len(findings) > 0 {
			t.Fatalf("%q: %q, then %q %v", document, filled, again, findings)
		}
	})
}
