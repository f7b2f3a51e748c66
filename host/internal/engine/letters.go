package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
)

// MaxDeadLetters is how many dead letters a Log keeps. Beyond that, the oldest are removed.
const MaxDeadLetters = 10_000

// DeadLetter is an event that could not be delivered, and the reason. It was acknowledged, so that
// it does not hold up the events behind it, and waits for somebody to resend or drop it.
type DeadLetter struct {
	// ID is derived from the event's id and, if a trigger could not take the event, from that
	// trigger.
	ID    string    `json:"id"`
	Time  time.Time `json:"time"` // when it was given up
	Event Event     `json:"event"`
	Run   string    `json:"run,omitempty"`  // the run that it answers
	Flow  string    `json:"flow,omitempty"` // the flow that it would have started
	// Code is bad_event, unknown_flow, full, invalid_variables, bad_key or broken_run.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Raw is the event's data if it is not JSON, or its beginning if it is too long.
	Raw string `json:"raw,omitempty"`
}

// bury keeps an event as a dead letter if err shows that no repetition can deliver it; else it
// returns err.
func (e *Engine) bury(ctx context.Context, ev Event, about DeadLetter, err error) error {
	about.Code = hopeless(err)
	if about.Code == "" {
		return err
	}
	if ev.decoded != nil {
		var bad error
		if ev.Data, bad = json.Marshal(ev.decoded); bad != nil {
			return errors.Join(err, bad)
		}
	}
	about.ID, about.Time, about.Event, about.Message = letterID(ev), time.Now().UTC(), ev, err.Error()
	if !json.Valid(ev.Data) || len(ev.Data) > maxEvent {
		about.Event.Data = nil
		about.Raw = string(ev.Data[:min(len(ev.Data), maxEvent)])
	}
	if e.complaints.Allow() {
		e.logger.Error("an event could not be delivered and is kept as a dead letter", "letter", about.ID, "event", ev.ID, "type", ev.Type,
			"run", about.Run, "flow", about.Flow, "code", about.Code, "err", about.Message)
	}
	return e.log.Bury(ctx, about)
}

func letterID(ev Event) string {
	id := ev.ID
	if id == "" {
		id = rand.Text()
	}
	return "d" + runOf(id, ev.For)[1:]
}

// hopeless is the code of an error that recurs however often an event is delivered; "" for an error
// that may pass.
func hopeless(err error) string {
	var invalid *flow.InvalidError
	switch {
	case errors.Is(err, ErrBadEvent):
		return "bad_event"
	case errors.Is(err, ErrUnknownFlow):
		return "unknown_flow"
	case errors.Is(err, ErrFull):
		return "full"
	case errors.As(err, &invalid):
		return "invalid_variables"
	case errors.Is(err, errKey):
		return "bad_key"
	case errors.Is(err, errBroken):
		return "broken_run"
	}
	return ""
}

// DeadLetters lists at most limit dead letters, newest first. The list begins after the dead letter
// with the id after, or with the newest if after is empty.
func (e *Engine) DeadLetters(ctx context.Context, after string, limit int) ([]DeadLetter, error) {
	return e.log.DeadLetters(ctx, after, limit)
}

// DeadLetter finds one by its id. ErrNotFound if there is none.
func (e *Engine) DeadLetter(ctx context.Context, id string) (DeadLetter, error) {
	return e.log.DeadLetter(ctx, id)
}

// Resend delivers a dead letter again. It is removed when that works, and else stays, with the
// newest reason.
func (e *Engine) Resend(ctx context.Context, id string) (Delivered, error) {
	letter, err := e.log.DeadLetter(ctx, id)
	if err != nil {
		return Delivered{}, fmt.Errorf("dead letter %s: %w", id, err)
	}
	letter.Event.Subscription, letter.Event.Cursor = "", nil // it was read long ago
	d, err := e.Deliver(ctx, letter.Event)
	if err != nil || d.Dead {
		return d, err
	}
	return d, e.log.DropDeadLetter(ctx, id)
}

// DropDeadLetter removes a dead letter. ErrNotFound if there is none.
func (e *Engine) DropDeadLetter(ctx context.Context, id string) error {
	if _, err := e.log.DeadLetter(ctx, id); err != nil {
		return fmt.Errorf("dead letter %s: %w", id, err)
	}
	return e.log.DropDeadLetter(ctx, id)
}
