package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// ErrBadEvent is an event that no repetition makes better.
var ErrBadEvent = errors.New("the event cannot be used")

// Event is something that happened outside, as a TRIGGER reports it.
type Event struct {
	// ID is the same for every delivery of the same thing.
	ID string
	// Time is when it happened, by whoever saw it. An answer that was given before the
	// deadline of its wait beats the timeout, however late it arrives.
	Time time.Time
	// Type such as "whatsapp.button.clicked.v1".
	Type string
	// Data is JSON, at most maxEvent bytes.
	Data json.RawMessage
	// Correlation of the call this answers. May be empty.
	Correlation string
	// For is "flow/trigger" when the event comes from a subscription with that
	// trigger's filter. Only such events start triggers that have a filter.
	For string
}

// Delivery says what became of an event.
type Delivery struct {
	// Answered is the run that took the event as an answer.
	Answered string
	// Started are the runs the event started.
	Started []string
	// Duplicate means that the event was delivered before.
	Duplicate bool
}

// Deliver leads an event to the run it answers or else to the triggers that take
// it. After an error nothing was decided and the event is to be delivered again,
// unless it is ErrBadEvent.
func (e *Engine) Deliver(ctx context.Context, ev Event) (Delivery, error) {
	if ev.ID == "" || ev.Type == "" || len(ev.Data) > maxEvent {
		return Delivery{}, fmt.Errorf("%w: it needs an id, a type and at most %d bytes of data", ErrBadEvent, maxEvent)
	}
	data, err := flow.DecodeJSON(ev.Data)
	if err != nil {
		return Delivery{}, fmt.Errorf("%w: data: %w", ErrBadEvent, err)
	}
	if ev.Correlation != "" {
		d, taken, err := e.answer(ctx, ev, data)
		if taken || err != nil {
			return d, err
		}
	}
	return e.trigger(ctx, ev, data)
}

// answer leads an event to its wait. taken is false when the event may start
// runs instead.
func (e *Engine) answer(ctx context.Context, ev Event, data any) (d Delivery, taken bool, err error) {
	w, err := e.log.Wait(ctx, ev.Correlation)
	if err == nil {
		var effects []run.Effect
		effects, err = e.apply(ctx, w.Run, run.Event{Kind: run.Answered, ID: ev.ID, Made: ev.Time, Visit: w.Visit, Type: ev.Type, Data: data}, Task{})
		if err == nil {
			return Delivery{Answered: w.Run}, !declined(effects), nil
		}
	}
	switch {
	case errors.Is(err, ErrUnknownFlow): // no repetition makes it known; what waits behind it can be taken
		e.logger.Error("an answer cannot be taken", "run", w.Run, "event", ev.ID, "err", err)
		return Delivery{}, true, e.log.Publish(ctx, refusal(data, w.Run, "unknown_flow", err.Error()))
	case errors.Is(err, run.ErrSeen):
		return Delivery{Answered: w.Run, Duplicate: true}, true, nil
	case errors.Is(err, ErrNotFound):
		return Delivery{}, false, e.log.Publish(ctx, refusal(data, "", "unknown", "no run waits for this, or not any more"))
	default:
		return Delivery{}, false, err
	}
}

// refusal tells of an answer that no run took, with its data.
func refusal(data any, id, code, message string) Step {
	return Step{Time: time.Now(), Run: id, Kind: run.TraceWaitRefused, Code: code, Message: message, Data: data,
		MessageID: lookup(data, "menu", "messageId"), ButtonID: lookup(data, "button", "id")}
}

func declined(effects []run.Effect) bool {
	for _, x := range effects {
		if _, ok := x.(run.Decline); ok {
			return true
		}
	}
	return false
}

// trigger starts a run for every trigger that takes the event. The run's id
// follows from the event's, so that a second delivery starts nothing.
func (e *Engine) trigger(ctx context.Context, ev Event, data any) (Delivery, error) {
	var d Delivery
	for _, p := range e.deployed() {
		id := p.Flow().Metadata.ID
		for _, t := range p.Triggers(ev.Type) {
			name := id + "/" + t.ID
			if len(t.With) > 0 && ev.For != name || ev.For != "" && ev.For != name {
				continue
			}
			ok, err := p.Match(t.ID, data)
			if err != nil {
				e.logger.Warn("trigger condition failed", "trigger", name, "err", err)
			}
			if !ok {
				continue
			}
			runID := runOf(ev.ID, id, t.ID)
			err = e.begin(ctx, p, runID, run.Event{Kind: run.Started, Trigger: t.ID, Data: data})
			var invalid *flow.InvalidError
			switch {
			case err == nil:
				d.Started = append(d.Started, runID)
			case errors.Is(err, ErrConflict):
				d.Duplicate = true
			case errors.As(err, &invalid):
				e.logger.Warn("trigger gives no usable variables", "trigger", name, "err", err)
			default:
				return d, err
			}
		}
	}
	return d, nil
}

func (e *Engine) begin(ctx context.Context, p *flow.Program, id string, ev run.Event) error {
	defer e.exclusive(id)()
	_, err := e.commit(ctx, p, run.State{Run: id}, 0, ev, Task{})
	return err
}

// Request starts a run by hand or over HTTP.
type Request struct {
	// Flow is the id of a deployed flow.
	Flow string
	// Trigger is one of its triggers; empty: the first of type manual.
	Trigger string
	// Vars override the defaults of the flow.
	Vars map[string]any
	// Data is the event that expressions see. May be nil.
	Data any
	// Key makes the request idempotent: the same key starts one run. May be empty.
	Key string
}

// Run starts a run and returns its id. The error is a *flow.InvalidError when
// the variables do not fit, ErrUnknownFlow, or one of the Log. With a Key that
// was used before it returns the id of that run, or ErrKeyUsed if that one was asked for
// with other variables or data.
func (e *Engine) Run(ctx context.Context, r Request) (string, error) {
	e.mu.RLock()
	p, ok := e.current[r.Flow]
	e.mu.RUnlock()
	if !ok {
		return "", fmt.Errorf("flow %q: %w", r.Flow, ErrUnknownFlow)
	}
	if r.Trigger == "" {
		for _, t := range p.Flow().Triggers {
			if t.Type == flow.TriggerManual {
				r.Trigger = t.ID
				break
			}
		}
		if r.Trigger == "" {
			return "", fmt.Errorf("flow %q has no manual trigger; name one", r.Flow)
		}
	}
	id := "r" + strings.ToLower(rand.Text())
	if r.Key != "" {
		id = runOf(r.Key, r.Flow, r.Trigger)
	}
	wanted, err := r.fingerprint()
	if err != nil {
		return "", err
	}
	err = e.begin(ctx, p, id, run.Event{Kind: run.Started, ID: wanted, Trigger: r.Trigger, Vars: r.Vars, Data: r.Data})
	if r.Key == "" || !errors.Is(err, ErrConflict) {
		return id, err
	}
	s, err := e.State(ctx, id)
	if err != nil {
		return "", err
	}
	if s.Request != wanted {
		return "", fmt.Errorf("run %s: %w", id, ErrKeyUsed)
	}
	return id, nil
}

// fingerprint is the same for requests that ask for the same; empty without a Key, since
// nobody will ask again.
func (r Request) fingerprint() (string, error) {
	if r.Key == "" {
		return "", nil
	}
	vars := r.Vars
	if vars == nil {
		vars = map[string]any{}
	}
	src, err := json.Marshal([]any{vars, r.Data}) // with the members in order
	if err != nil {
		return "", fmt.Errorf("the request is not JSON: %w", err)
	}
	sum := sha256.Sum256(src)
	return hex.EncodeToString(sum[:]), nil
}

// runOf derives a run's id, so that the same cause gives the same run.
func runOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return "e" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:16])[:26])
}

// Cancel ends a run for good. Cancelling one that is over does nothing but keep
// late answers from reopening it.
func (e *Engine) Cancel(ctx context.Context, id, reason string) error {
	_, err := e.apply(ctx, id, run.Event{Kind: run.Cancelled, Reason: reason}, Task{})
	return err
}

// State is a run as it stands. ErrNotFound if there is none.
func (e *Engine) State(ctx context.Context, id string) (run.State, error) {
	rec, err := e.log.Load(ctx, id)
	if err != nil {
		return run.State{}, fmt.Errorf("run %s: %w", id, err)
	}
	return decodeState(rec.State)
}

// Newest is Log.Newest.
func (e *Engine) Newest(ctx context.Context) (uint64, error) { return e.log.Newest(ctx) }

// Watch is Log.Watch.
func (e *Engine) Watch(ctx context.Context, id string, after uint64) iter.Seq2[Step, error] {
	return e.log.Watch(ctx, id, after)
}
