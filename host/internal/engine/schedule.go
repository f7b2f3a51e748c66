package engine

import (
	"context"
	"encoding/json"
	"time"
)

// scheduleEvent is the type of the event for a time of a schedule.
const scheduleEvent = "schedule.due.v1"

const (
	// look is how often schedules are checked even when the next time is far away: the clock may be
	// set.
	look = 30 * time.Second
	// unpunctual is the delay from which on a time counts as made up for, and no longer as met.
	unpunctual = time.Minute
)

// keepSchedules starts runs at the times of the schedules, until ctx ends. Each time starts one
// run, no matter how many hosts keep the schedule and how often they restart, because the run's id
// is derived from the time.
func (e *Engine) keepSchedules(ctx context.Context) {
	known := map[string]time.Time{} // when each schedule was last checked
	for ctx.Err() == nil {
		now := time.Now()
		next, looked := now.Add(look), map[string]time.Time{}
		for _, t := range e.served.Load().timed {
			since, ok := known[t.name()]
			if !ok {
				since = now
			}
			at, err := e.keep(ctx, t, since, now)
			if looked[t.name()] = since; err == nil {
				looked[t.name()] = now
			}
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				e.logger.Error("a time of a schedule was not kept; trying again", "trigger", t.name(), "err", err)
				at = now.Add(margin)
			}
			if !at.IsZero() && at.Before(next) {
				next = at
			}
		}
		known = looked
		timer := time.NewTimer(time.Until(next))
		select {
		case <-timer.C:
		case <-e.rescheduled:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// keep starts the run of the latest time that has come, if there is one, and returns the next time.
// If the Log has no cursor for the schedule, times before since are ignored: the schedule is new,
// or so rare that its cursor was removed.
func (e *Engine) keep(ctx context.Context, t trigger, since, now time.Time) (next time.Time, err error) {
	schedule := t.program.Schedule(t.ID)
	subscription := "schedule " + t.name()
	stored, err := e.log.Cursor(ctx, subscription)
	if err != nil {
		return time.Time{}, err
	}
	var kept time.Time
	if stored == nil || kept.UnmarshalText(stored) != nil {
		kept = since
		if stored, err = kept.MarshalText(); err != nil {
			return time.Time{}, err
		}
		if err := e.log.PutCursor(ctx, Cursor{subscription, stored}); err != nil {
			return time.Time{}, err
		}
	}
	if at, due := schedule.Missed(kept, now); due {
		data, err := json.Marshal(schedule.Event(at, now.Sub(at) > unpunctual))
		if err != nil {
			return time.Time{}, err
		}
		cursor, err := at.UTC().MarshalText()
		if err != nil {
			return time.Time{}, err
		}
		_, err = e.Deliver(ctx, Event{ID: subscription + " " + string(cursor), Type: scheduleEvent, Time: at, Data: data, For: t.name(),
			Subscription: subscription, Cursor: cursor})
		if err != nil {
			return time.Time{}, err
		}
		kept = at
	}
	return schedule.Next(later(kept, now)), nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
