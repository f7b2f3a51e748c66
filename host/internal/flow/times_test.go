package flow

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:                                   "0ms",
		250 * time.Millisecond:                         "250ms",
		2*time.Second + 300*time.Microsecond:           "2s",
		time.Minute - time.Millisecond:                 "1m",
		time.Hour:                                      "1h",
		90*time.Minute + 20*time.Second:                "1h30m",
		72 * time.Hour:                                 "3d",
		24*time.Hour - time.Second:                     "1d",
		49*time.Hour + 29*time.Minute:                  "2d1h",
		time.Hour - time.Second:                        "59m59s",
		3*24*time.Hour - 3*time.Millisecond:            "3d",
		2*time.Minute + 5*time.Second + 1:              "2m5s",
		10*time.Hour + 59*time.Minute + 31*time.Second: "11h",
	} {
		if got := Span(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}
