package flow

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Default and maximum of Schedule.Misfire.
const (
	defaultMisfire = time.Hour
	maxMisfire     = 7 * 24 * time.Hour
)

// Schedule says when a trigger of type schedule starts runs. Its times are wall-clock times of its
// zone: a time that a clock change skips is due at the moment of the change, and a time that occurs
// twice is due the first time. Only in a schedule for every hour (the hour is *) are the times of a
// repeated hour due again, and those of a skipped hour not at all.
type Schedule struct {
	// Misfire is how long after its time a missed start is still made up for.
	Misfire time.Duration

	times  *cron.SpecSchedule
	hourly bool
	zone   *time.Location
}

var cronFields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// newSchedule parses the five fields of cron. A schedule that is never due is an error.
func newSchedule(fields, zone string, misfire time.Duration) (*Schedule, error) {
	if strings.Contains(fields, "=") || strings.HasPrefix(strings.TrimSpace(fields), "@") {
		return nil, errors.New("write five fields: minute, hour, day of the month, month, day of the week")
	}
	parsed, err := cronFields.Parse(fields)
	if err != nil {
		return nil, err
	}
	s := &Schedule{Misfire: misfire, times: parsed.(*cron.SpecSchedule)} // five fields always give this type
	s.times.Location = time.UTC
	s.hourly = strings.Fields(fields)[1] == "*"
	if s.zone, err = zoneOf(zone); err != nil {
		return nil, err
	}
	if s.Next(time.Unix(0, 0)).IsZero() {
		return nil, errors.New("no day is ever like this")
	}
	return s, nil
}

// Next returns the first time after another, in the schedule's zone; zero if there is none in the
// next years.
func (s *Schedule) Next(after time.Time) time.Time {
	after = after.In(s.zone)
	if s.hourly {
		return s.nextOfEveryHour(after)
	}
	for wall := wallClock(after); ; {
		if wall = s.times.Next(wall); wall.IsZero() {
			return time.Time{}
		}
		if t := firstShown(wall, s.zone); t.After(after) { // else the clock was set back
			return t
		}
	}
}

// nextOfEveryHour is Next for a schedule for every hour. It searches from one clock change to the
// next, because between two changes the clock only moves forward.
func (s *Schedule) nextOfEveryHour(after time.Time) time.Time {
	for base, wall := after, wallClock(after); ; {
		next := s.times.Next(wall)
		if next.IsZero() {
			return next
		}
		t := base.Add(next.Sub(wallClock(base)))
		_, end := base.ZoneBounds()
		if end.IsZero() || t.Before(end) {
			return t
		}
		base, wall = end, wallClock(end).Add(-1) // the moment of the change may be due itself
	}
}

// Missed returns the last time after since and not after now, if it is not older than Misfire. A
// host that was not running makes up for this one start.
func (s *Schedule) Missed(since, now time.Time) (time.Time, bool) {
	if oldest := now.Add(-s.Misfire); since.Before(oldest) {
		since = oldest.Add(-1)
	}
	var last time.Time
	for t := s.Next(since); !t.IsZero() && !t.After(now); t = s.Next(t) {
		last = t
	}
	return last, !last.IsZero()
}

// Event returns the event of a run that starts at one of the times. missed means that the host
// makes up for a missed start.
func (s *Schedule) Event(at time.Time, missed bool) map[string]any {
	return map[string]any{"at": at.In(s.zone).Format(time.RFC3339), "zone": s.zone.String(), "missed": missed}
}

// wallClock returns the wall-clock reading of a time, as a time in UTC.
func wallClock(t time.Time) time.Time {
	return time.Unix(t.Unix()+int64(offset(t)), int64(t.Nanosecond())).UTC()
}

func offset(t time.Time) int {
	_, seconds := t.Zone()
	return seconds
}

// firstShown returns the first moment at which the clock of a zone shows wall or a later time.
func firstShown(wall time.Time, zone *time.Location) time.Time {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	start, end := t.ZoneBounds()
	switch shown := wallClock(t); {
	case shown.After(wall): // the clock jumped over it
		return start
	case shown.Before(wall):
		return end
	case start.IsZero():
		return t
	}
	if earlier := time.Unix(wall.Unix()-int64(offset(start.Add(-1))), 0); earlier.Before(start) {
		return earlier.In(zone)
	}
	return t
}

// duration parses a Duration that the schema has checked; otherwise is the value of an empty one.
func duration(written string, otherwise time.Duration) (time.Duration, error) {
	if written == "" {
		return otherwise, nil
	}
	var d Duration
	err := d.UnmarshalText([]byte(written))
	return time.Duration(d), err
}

// checkSchedule compiles the times of a trigger.
func (c *compilation) checkSchedule(t *trigger, with map[string]any, ptr string) {
	misfire, err := duration(text(with["misfire"]), defaultMisfire)
	if err != nil || misfire > maxMisfire {
		c.fail(ptr+"/misfire", "out_of_range", "", "what was missed is made up for within 7d at most")
		return
	}
	if t.schedule, err = newSchedule(text(with["cron"]), text(with["zone"]), misfire); err != nil {
		at, help := "/cron", "minute 0-59, hour 0-23, day 1-31, month 1-12, day of the week 0-6 from Sunday"
		if errors.Is(err, errZone) {
			at, help = "/zone", ""
		}
		c.fail(ptr+at, "schedule", help, "%v", err)
	}
}

// maxZoneName is the length of a zone's name in bytes; real ones have about 30.
const maxZoneName = 64

var errZone = errors.New("there is no such time zone")

// zoneOf finds a zone by its IANA name, in the tables of the system or else in those of
// the binary.
func zoneOf(name string) (*time.Location, error) {
	if name == "" || name == "Local" || len(name) > maxZoneName {
		return nil, fmt.Errorf("%.60q: %w; write one such as Europe/Berlin or UTC", name, errZone)
	}
	zone, err := zones.load(name)
	if err != nil {
		return nil, fmt.Errorf("%.60q: %w; write one such as Europe/Berlin or UTC", name, errZone)
	}
	return zone, nil
}
