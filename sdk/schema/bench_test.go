package schema_test

import (
	"strings"
	"testing"

	"github.com/tapnode/tapnode/sdk/schema"
)

// BenchmarkCheck is 1 KiB: the door alone, and the door with a schema.
func BenchmarkCheck(b *testing.B) {
	document := []byte(`{"kind":"A","list":[{"type":"URL","url":"` + strings.Repeat("a", 900) + `"},{"type":"CALL","phone":"1"}]}`)
	b.Run("document", func(b *testing.B) {
		b.SetBytes(int64(len(document)))
		for b.Loop() {
			if f := schema.Document(document); f != nil {
				b.Fatal(f)
			}
		}
	})
	b.Run("schema", func(b *testing.B) {
		s := compile(b, shape)
		b.SetBytes(int64(len(document)))
		b.ReportAllocs()
		for b.Loop() {
			if _, f := s.Check(document); f != nil {
				b.Fatal(f)
			}
		}
	})
}
