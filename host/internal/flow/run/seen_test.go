package run

import (
	"encoding/json"
	"fmt"
	"testing"
)

// A run remembers the newest answers in a few bytes each, and still reads the ids that hosts stored
// before digests were used.
func TestSeen(t *testing.T) {
	var s seen
	for i := range 3 * keepSeen {
		s = s.with(fmt.Sprint("event ", i))
	}
	if len(s) != keepSeen*seenSize {
		t.Errorf("%d answers take %d bytes", keepSeen, len(s))
	}
	for i := range 3 * keepSeen {
		if got, want := s.has(fmt.Sprint("event ", i)), i >= 2*keepSeen; got != want {
			t.Fatalf("event %d: %v", i, got)
		}
	}
	var st State
	if err := json.Unmarshal([]byte(`{"run": "r", "seen": ["a", "b"]}`), &st); err != nil || !st.Seen.has("a") || !st.Seen.has("b") || st.Seen.has("c") {
		t.Errorf("%q, %v", st.Seen, err)
	}
	raw, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	var back State
	if err := json.Unmarshal(raw, &back); err != nil || back.Seen != st.Seen {
		t.Errorf("%q became %q, %v", st.Seen, back.Seen, err)
	}
}
