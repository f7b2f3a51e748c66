package flow

import (
	"fmt"
	"strings"
	"time"
)

// Span writes a length of time for people, in the units of flow files: "3d", "1h30m",
// "2s". What has no place in its two largest units is rounded away; below a second it is
// in milliseconds.
func Span(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%dms", max(d, 0).Milliseconds())
	}
	largest := 0
	sizes := []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second}
	for sizes[largest] > d.Round(time.Second) {
		largest++
	}
	d = d.Round(sizes[min(largest+1, len(sizes)-1)])
	var b strings.Builder
	for i, unit := range sizes {
		if n := d / unit; n > 0 {
			fmt.Fprintf(&b, "%d%c", n, "dhms"[i])
		}
		d %= unit
	}
	return b.String()
}
