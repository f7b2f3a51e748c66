package flow

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func scheduleOf(t *testing.T, fields, zone string) *Schedule {
	t.Helper()
	s, err := newSchedule(fields, zone, defaultMisfire)
	if err != nil {
		t.Fatalf("%s in %s: %v", fields, zone, err)
	}
	return s
}

// A time that the clock skips is due when the clock jumps, and a time that it shows twice is due
// once. In a schedule for every hour, the minutes are those of the clock as it runs.
func TestScheduleWhereTheClockIsSet(t *testing.T) {
	for name, c := range map[string]struct {
		fields, zone, after, want string
	}{
		"a working day":              {"0 9 * * 1-5", "Europe/Berlin", "2026-11-27T09:00:00+01:00", "2026-11-30T09:00:00+01:00"},
		"not there, comes after":     {"30 2 * * *", "Europe/Berlin", "2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00 2026-03-30T02:30:00+02:00"},
		"not there, twice":           {"15,45 2 * * *", "Europe/Berlin", "2026-03-28T02:45:00+01:00", "2026-03-29T03:00:00+02:00 2026-03-30T02:15:00+02:00"},
		"there twice, comes first":   {"30 2 * * *", "Europe/Berlin", "2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+02:00 2026-10-26T02:30:00+01:00"},
		"asked in the repeated hour": {"30 2 * * *", "Europe/Berlin", "2026-10-25T02:10:00+01:00", "2026-10-26T02:30:00+01:00"},
		"every hour, forward":        {"30 * * * *", "Europe/Berlin", "2026-03-29T00:30:00+01:00", "2026-03-29T01:30:00+01:00 2026-03-29T03:30:00+02:00"},
		"every hour, on the jump":    {"0 * * * *", "Europe/Berlin", "2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"},
		"every hour, back":           {"30 * * * *", "Europe/Berlin", "2026-10-25T01:30:00+02:00", "2026-10-25T02:30:00+02:00 2026-10-25T02:30:00+01:00 2026-10-25T03:30:00+01:00"},
		"a day without midnight":     {"0 0 * * *", "America/Sao_Paulo", "2018-11-03T00:00:00-03:00", "2018-11-04T01:00:00-02:00 2018-11-05T00:00:00-02:00"},
		"half an hour":               {"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T02:15:00+10:30", "2026-10-04T02:30:00+11:00 2026-10-05T02:15:00+11:00"},
		"a day that was left out":    {"0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00-10:00", "2011-12-31T00:00:00+14:00"},
		"the 29th of February":       {"0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
		"either day is enough":       {"0 0 13 * 5", "UTC", "2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z 2026-11-20T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			s := scheduleOf(t, c.fields, c.zone)
			at, err := time.Parse(time.RFC3339, c.after)
			if err != nil {
				t.Fatal(err)
			}
			for want := range strings.FieldsSeq(c.want) {
				at = s.Next(at)
				if got := at.Format(time.RFC3339); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
	}
}

// Next gives the same times as checking the wall clock at every minute.
func TestScheduleMinuteByMinute(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 7)) //nolint:gosec // a test's seed
	pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
	days := map[string][]string{
		"Europe/Berlin": {"2026-03-28", "2026-10-24"}, "America/New_York": {"2026-03-07", "2026-10-31"}, "Australia/Lord_Howe": {"2026-04-04", "2026-10-03"},
		"America/Sao_Paulo": {"2018-02-17", "2018-11-03"}, "Pacific/Apia": {"2011-12-29"}, "Africa/Casablanca": {"2026-02-14", "2026-03-21"}, "UTC": {"2026-01-01"},
	}
	for zone, starts := range days {
		for _, start := range starts {
			for range 12 {
				fields := pick("*", "0", "30", "*/20", "15,45", "59") + " " + pick("*", "*", "0", "2", "1-3", "*/2", "23") + " " + pick("*", "*", "4", "29") + " * " + pick("*", "*", "0", "6")
				s, err := newSchedule(fields, zone, 0)
				if err != nil {
					t.Fatal(err)
				}
				from, err := time.ParseInLocation(time.DateOnly, start, s.zone)
				if err != nil {
					t.Fatal(err)
				}
				until := from.Add(72 * time.Hour)
				want := walked(s, from, until)
				var got []time.Time
				for at := s.Next(from); !at.IsZero() && at.Before(until); at = s.Next(at) {
					got = append(got, at)
				}
				if !slices.EqualFunc(got, want, time.Time.Equal) {
					t.Errorf("%s in %s from %s:\n got %v\nwant %v", fields, zone, start, got, want)
				}
			}
		}
	}
}

// walked returns the times of a schedule between two others, found by checking the wall clock.
func walked(s *Schedule, from, until time.Time) []time.Time {
	is := func(wall time.Time) bool { return s.times.Next(wall.Add(-time.Minute)).Equal(wall) }
	var out []time.Time
	latest := wallClock(from) // the latest time that the clock has shown
	for at := from.Add(time.Minute); at.Before(until); at = at.Add(time.Minute) {
		shown := wallClock(at)
		if s.hourly {
			if is(shown) {
				out = append(out, at)
			}
			continue
		}
		due := false
		for ; latest.Before(shown); latest = latest.Add(time.Minute) {
			due = due || is(latest.Add(time.Minute))
		}
		if due {
			out = append(out, at)
		}
	}
	return out
}

// The last start that a stopped host missed is made up for once, if it is not too old.
func TestScheduleMissed(t *testing.T) {
	s, err := newSchedule("0 9 * * *", "UTC", 2*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for name, c := range map[string]struct{ since, now, want string }{
		"three days off":  {"2026-11-20T09:00:00Z", "2026-11-23T10:00:00Z", "2026-11-23T09:00:00Z"},
		"too late":        {"2026-11-20T09:00:00Z", "2026-11-23T11:00:01Z", ""},
		"just in time":    {"2026-11-20T09:00:00Z", "2026-11-23T11:00:00Z", "2026-11-23T09:00:00Z"},
		"nothing missed":  {"2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z", ""},
		"at this instant": {"2026-11-22T09:00:00Z", "2026-11-23T09:00:00Z", "2026-11-23T09:00:00Z"},
	} {
		got, ok := s.Missed(at(c.since), at(c.now))
		if c.want == "" && ok || c.want != "" && (!ok || !got.Equal(at(c.want))) {
			t.Errorf("%s: %v, %v; want %q", name, got, ok, c.want)
		}
	}
	every := scheduleOf(t, "* * * * *", "UTC")
	every.Misfire = maxMisfire
	if got, ok := every.Missed(at("2020-01-01T00:00:00Z"), at("2026-11-23T09:00:30Z")); !ok || !got.Equal(at("2026-11-23T09:00:00Z")) {
		t.Errorf("every minute: %v, %v", got, ok)
	}
	if got := every.Event(at("2026-11-23T09:00:00Z"), true); got["at"] != "2026-11-23T09:00:00Z" || got["missed"] != true {
		t.Errorf("event %v", got)
	}
}

// FuzzSchedule: any fields give an error, or a schedule whose next time is in the future and
// matches the schedule.
func FuzzSchedule(f *testing.F) {
	for _, s := range []string{"0 9 * * 1-5", "*/5 0-6/2 1,15 JAN-MAR SUN", "@daily", "TZ=UTC 0 0 * * *", "TZ=", "0 0 30 2 *", "? ? ? ? ?", "60 * * * *", "1/2/3 * * * *", "9223372036854775808 * * * *", "* * * * 7"} {
		f.Add(s, "Europe/Berlin", int64(1_770_000_000))
	}
	f.Fuzz(func(t *testing.T, fields, zone string, unix int64) {
		s, err := newSchedule(fields, zone, time.Hour)
		if err != nil {
			return
		}
		after := time.Unix(unix%4_000_000_000, 0)
		for range 3 {
			next := s.Next(after)
			if next.IsZero() {
				return
			}
			if !next.After(after) {
				t.Fatalf("%q in %q: %v comes after %v", fields, zone, next, after)
			}
			after = next
		}
	})
}
