package flow

import (
	"fmt"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // so that flows know every zone even if the system has no tables
)

// layouts of times as people write them, without an offset.
var layouts = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly}

// maxTime is the maximum length of a written time in bytes.
const maxTime = 64

// parseTime parses a time. A time without an offset is one of the clock of a zone: if the clock
// skips it, it means the moment of the change, and if the clock shows it twice, the first of the
// two.
func parseTime(written, zone string) (time.Time, error) {
	if len(written) > maxTime {
		return time.Time{}, fmt.Errorf("%.40q is not a time", written)
	}
	written = strings.TrimSpace(written)
	if t, err := time.Parse(time.RFC3339, written); err == nil {
		return t, nil
	}
	loc, err := zoneOf(zone)
	if err != nil {
		return time.Time{}, err
	}
	for _, layout := range layouts {
		if wall, err := time.Parse(layout, written); err == nil {
			return firstShown(wall, loc), nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is not a time such as 2026-12-24T18:00:00 or 2026-12-24T18:00:00-03:00", written)
}

// Span formats a length of time for people, in the units of flow files: "3d", "1h30m", "2s". It is
// rounded to its two largest units; below a second it is in milliseconds.
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

// zones caches the zones that were loaded. Only existing zones are kept, of which there are about
// 600.
var zones zoneTable

type zoneTable struct{ known sync.Map }

func (z *zoneTable) load(name string) (*time.Location, error) {
	if found, ok := z.known.Load(name); ok {
		return found.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	z.known.Store(name, zone)
	return zone, nil
}
