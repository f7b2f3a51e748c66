package send

import (
	"testing"
	"time"
)

func TestPausesEndByTime(t *testing.T) {
	for now, want := range map[string]string{
		"2026-11-22T15:00:00Z":      "2026-12-01T00:00:00Z",
		"2026-12-31T23:59:59Z":      "2027-01-01T00:00:00Z",
		"2026-12-31T23:30:00-03:00": "2027-02-01T00:00:00Z",
	} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := endOfMonth(at).Format(time.RFC3339); got != want {
			t.Errorf("%s: %s, want %s", now, got, want)
		}
	}
}
