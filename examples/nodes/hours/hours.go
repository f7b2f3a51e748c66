package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

type node struct{ zone *time.Location }

// configure gets settings that their schema has let through, with its defaults filled in.
func (n *node) configure(_ context.Context, setup sdk.Setup) (err error) {
	var settings struct{ Zone string }
	if err := json.Unmarshal(setup.Settings, &settings); err != nil {
		return err
	}
	n.zone, err = load(settings.Zone)
	return err
}

// check gets an input that its schema has let through.
func (n *node) check(_ context.Context, _ *sdk.Call, in input) (output, error) {
	zone, at := n.zone, time.Now()
	var err error
	if in.Zone != "" {
		if zone, err = load(in.Zone); err != nil {
			return output{}, err
		}
	}
	if in.At != "" {
		if at, err = time.Parse(time.RFC3339, in.At); err != nil {
			return output{}, sdk.Invalid(sdk.Violation{Pointer: "/at", Code: "time", Message: "this is no time such as 2026-11-26T09:00:00Z"})
		}
	}
	open, until := opening(in.Week, at.In(zone))
	out := output{Open: open}
	if !until.IsZero() {
		text := until.Format(time.RFC3339)
		out.Until = &text
	}
	return out, nil
}

func load(zone string) (*time.Location, error) {
	location, err := time.LoadLocation(zone)
	if err != nil {
		return nil, sdk.Invalid(sdk.Violation{
			Pointer: "/zone", Code: "zone", Message: "there is no such time zone", Suggestion: "write a name such as America/Sao_Paulo",
		})
	}
	return location, nil
}

// opening says whether a week of opening hours is open at a time, and when that
// changes: never if the time is zero.
func opening(week map[string][]string, at time.Time) (open bool, until time.Time) {
	type span struct{ from, to time.Time }
	var spans []span
	for offset := -1; offset <= 8; offset++ { // yesterday's may last until today
		year, month, date := at.AddDate(0, 0, offset).Date()
		day := time.Date(year, month, date, 0, 0, 0, 0, at.Location())
		for _, hours := range week[strings.ToLower(day.Weekday().String()[:3])] {
			start, end, _ := strings.Cut(hours, "-")
			s := span{on(day, start), on(day, end)}
			if !s.to.After(s.from) {
				s.to = on(day.AddDate(0, 0, 1), end)
			}
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	until = at
	for _, s := range spans {
		switch {
		case s.from.After(until) && open:
			return true, until
		case s.from.After(until):
			return false, s.from
		case s.to.After(until):
			open, until = true, s.to
		}
	}
	return open, time.Time{} // all week, or never
}

// on is the time "15:04" of a day.
func on(day time.Time, clock string) time.Time {
	t, err := time.Parse("15:04", clock)
	if err != nil {
		panic(err) // unreachable: the schema has checked it, and a panic fails this call only
	}
	year, month, date := day.Date()
	return time.Date(year, month, date, t.Hour(), t.Minute(), 0, 0, day.Location())
}
