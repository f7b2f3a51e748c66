package sqllog

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// TestPacked: a large state is read as it was written, and takes and counts for a fraction of its size.
func TestPacked(t *testing.T) {
	onEach(t, func(t *testing.T, place func(t *testing.T) Options) {
		l := open(t, place(t))
		var large strings.Builder
		for i := range 250 {
			fmt.Fprintf(&large, `{"n":%d,"node":"answer","call":"running","attempt":1,"input":{"instance":"shop","number":"5511999990001@s.whatsapp.net"}}`, i)
		}
		for revision, state := range []string{`{"small":true}`, large.String(), "{" + strings.Repeat("x", packFrom-2), `{}`} {
			_, err := l.Append(t.Context(), engine.Batch{Run: "r", Expect: uint64(revision), State: []byte(state)})
			check(t, err)
			rec, err := l.Load(t.Context(), "r")
			if err != nil || string(rec.State) != state {
				t.Errorf("%d bytes became %d: %v", len(state), len(rec.State), err)
			}
			counts, err := l.Counts(t.Context())
			took := int(counts.Bytes)
			if err != nil || len(state) < packFrom && took != len(state) || len(state) >= packFrom && took > len(state)/5 {
				t.Errorf("%d bytes took %d: %v", len(state), took, err)
			}
		}
	})
}

// FuzzUnpack: what was packed comes back, and a row that nobody packed does no harm.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte(`{"a":1}`))
	f.Add(append([]byte{packed}, bytes.Repeat([]byte{0xff}, 9)...))
	f.Add(bytes.Repeat([]byte(`{"a":1}`), 1000))
	f.Fuzz(func(t *testing.T, in []byte) {
		if out := unpack(in); len(out) > maxUnpacked {
			t.Fatalf("%d bytes", len(out))
		}
		if len(in) > 0 && in[0] == packed && len(in) < packFrom {
			return // a state is JSON
		}
		if out := unpack(pack(in)); !bytes.Equal(out, in) {
			t.Fatalf("%q became %q", in, out)
		}
	})
}
