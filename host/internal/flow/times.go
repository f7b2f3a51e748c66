package flow

import (
	"fmt"
	"strings"
	"time"
)

// layouts of times as people write them, without an offset.
var layouts = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly}

// maxTime is the length of a written time in bytes.
const maxTime = 64

// parseTime reads a time: one with an offset as it is, any other on the clock of a zone.
// A time that the clock skips is the moment at which it jumps, and of one that it shows
// twice the first is meant.
func parseTime(written, zone string) (time.Time, error) {
	if len(written) > maxTime {
		return time.Time{}, fmt.Errorf("%.40q is no time", written)
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
	return time.Time{}, fmt.Errorf("%.40q is no time such as 2026-12-24T18:00:00 or 2026-12-24T18:00:00-03:00", written)
}
