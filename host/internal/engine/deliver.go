package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// ErrBadEvent means that an event is unusable, however often it is delivered.
var ErrBadEvent = errors.New("the event cannot be used")

// errElsewhere means that the event is for a process that can run more of the versions in use.
var errElsewhere = errors.New("another host fits more of the flows and reads the events from now on")

// Event is something that happened outside, as a TRIGGER reports it.
type Event struct {
	// ID is the same for every delivery of the same thing.
	ID string `json:"id"`
	// Time is when it happened, according to the source that saw it.
	Time time.Time `json:"time,omitzero"`
	// Type is the type of the event, such as "whatsapp.button.clicked.v1".
	Type string `json:"type"`
	// Data is JSON, at most maxEvent bytes.
	Data json.RawMessage `json:"data,omitempty"`
	// Correlation is that of the call which this event answers. May be empty.
	Correlation string `json:"correlation,omitempty"`
	// For is "flow/trigger" when the event comes from a subscription with that
	// trigger's filter. Only such events start triggers that have a filter.
	For string `json:"for,omitempty"`
	// Once this event is dealt with, Subscription continues at Cursor or later: the cursor is
	// stored together with what the event leads to. May be empty.
	Subscription string `json:"-"`
	Cursor       []byte `json:"-"`

	decoded map[string]any // used in place of Data, which is then empty
	once    bool           // it is never delivered again
}

// RunIn returns the id of the run that a correlation leads to. It does not check that the engine
// made the correlation.
func RunIn(correlation string) string {
	id, _, _ := strings.Cut(correlation, ":")
	return id
}

// Delivered says what became of an event.
type Delivered struct {
	// Answered is the run that took the event as an answer.
	Answered string
	// Started are the runs the event started.
	Started []string
	// Ignored are the runs that it did not start because other runs with their key are not over.
	Ignored []string
	// Duplicate means that the event was delivered before.
	Duplicate bool
	// Response is the output of a respond@1 step that a run started by the event reached at once;
	// nil if there is none.
	Response any
	// Dead means that the event could not be delivered, or not to every trigger, and is kept as a
	// dead letter.
	Dead bool
}

// Deliver routes an event to the run that it answers, or else to the triggers that accept it. An
// event that no repetition can deliver is kept as a dead letter. After an error the caller must
// deliver the event again; what was already decided stays so.
func (e *Engine) Deliver(ctx context.Context, ev Event) (Delivered, error) {
	w := &way{}
	if len(ev.Cursor) > 0 {
		w.cursor = Cursor{ev.Subscription, ev.Cursor}
	}
	d, err := e.deliver(ctx, ev, w)
	if err != nil && hopeless(err) != "" {
		d.Dead = true
		err = e.bury(ctx, ev, w.letter, err)
	}
	if err == nil && w.cursor.Subscription != "" && !w.stored {
		err = e.log.PutCursor(ctx, w.cursor)
	}
	return d, err
}

// way is what is known about an event while it is being delivered.
type way struct {
	cursor Cursor
	stored bool       // the cursor was stored with a change
	letter DeadLetter // has the Run or Flow, in case the event becomes a dead letter
}

func (e *Engine) deliver(ctx context.Context, ev Event, w *way) (Delivered, error) {
	if ev.ID == "" || ev.Type == "" || len(ev.Data) > maxEvent {
		return Delivered{}, fmt.Errorf("%w: it needs an id, a type and at most %d bytes of data", ErrBadEvent, maxEvent)
	}
	if ev.Subscription != "" && e.fitter(ctx, false) {
		return Delivered{}, errElsewhere
	}
	data, err := ev.read()
	if err != nil {
		return Delivered{}, fmt.Errorf("%w: data: %w", ErrBadEvent, err)
	}
	if ev.Correlation != "" && !e.interrupts(ev, data) {
		d, taken, err := e.answer(ctx, ev, data, w)
		if taken || err != nil {
			return d, err
		}
	}
	return e.trigger(ctx, ev, data, w)
}

// read returns the data in the form that flows work with.
func (ev *Event) read() (any, error) {
	if ev.decoded != nil {
		return ev.decoded, nil
	}
	return flow.DecodeJSON(ev.Data)
}

// answer applies an event to the run whose wait it answers. taken is false when the event may start
// runs instead.
func (e *Engine) answer(ctx context.Context, ev Event, data any, way *way) (d Delivered, taken bool, err error) {
	w, err := e.log.Wait(ctx, ev.Correlation)
	if err == nil {
		way.letter.Run = w.Run
		var effects []run.Effect
		effects, err = e.apply(ctx, w.Run, change{cursor: way.cursor,
			event: run.Event{Kind: run.Answered, ID: ev.ID, Visit: w.Visit, Type: ev.Type, Data: data}})
		if err == nil {
			taken = !declined(effects)
			way.stored = taken
			return Delivered{Answered: w.Run}, taken, nil
		}
	}
	switch {
	case errors.Is(err, run.ErrSeen):
		return Delivered{Answered: w.Run, Duplicate: true}, true, nil
	case errors.Is(err, ErrNotFound):
		way.letter.Run = ""
		return Delivered{}, false, e.log.Publish(ctx, refusal(data, "", "unknown", "no run waits for this, or not any more"))
	case errors.Is(err, ErrUnknownFlow) && e.fitter(ctx, true): // asked anew: another host can run it
		return Delivered{}, true, errElsewhere
	case hopeless(err) != "":
		return Delivered{}, true, errors.Join(err, e.log.Publish(ctx, refusal(data, w.Run, hopeless(err), err.Error())))
	default:
		return Delivered{}, false, err
	}
}

// refusal is the step that reports an answer which no run took, with its data.
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

// trigger starts a run for every trigger that accepts the event. The run's id is derived from the
// event's, so that a second delivery starts nothing.
func (e *Engine) trigger(ctx context.Context, ev Event, data any, w *way) (Delivered, error) {
	var d Delivered
	starts := e.starts(ev, data)
	for i, s := range starts {
		c := change{event: run.Event{Kind: run.Started, Trigger: s.ID, Data: data}}
		if i == len(starts)-1 { // with the last start only: a cursor stored earlier would pass over the starts that remain
			c.cursor = w.cursor
		}
		effects, err := e.begin(ctx, s.program, s.run, c)
		var claimed *ClaimedError
		switch {
		case errors.As(err, &claimed):
			d.Ignored = append(d.Ignored, s.run)
		case err == nil:
			d.Started = append(d.Started, s.run)
			d.Response = responseIn(effects)
			w.stored = c.cursor.Subscription != ""
		case errors.Is(err, ErrConflict):
			d.Duplicate = true
		case hopeless(err) != "": // only for this trigger; the others are not affected
			d.Dead = true
			mine := ev
			mine.For = s.name()
			if err := e.bury(ctx, mine, DeadLetter{Flow: s.program.Flow().Metadata.ID}, err); err != nil {
				return d, err
			}
		default:
			return d, err
		}
	}
	return d, nil
}

// interrupts says whether an event restarts a conversation, so that it answers no wait. A trigger
// with a filter can decide this only for an event that has passed the filter.
func (e *Engine) interrupts(ev Event, data any) bool {
	for _, s := range e.starts(ev, data) {
		if s.program.Interrupts(s.ID) {
			return true
		}
	}
	return false
}

// start is a run that an event starts.
type start struct {
	trigger
	run string
}

// starts lists the runs that an event starts.
func (e *Engine) starts(ev Event, data any) []start {
	var out []start
	for _, t := range e.served.Load().candidates(ev) {
		if len(t.With) > 0 && ev.For == "" { // the event has not passed its filter
			continue
		}
		ok, err := t.program.Match(t.ID, data)
		if err != nil {
			e.logger.Warn("trigger condition failed", "trigger", t.name(), "err", err)
		}
		if ok {
			id := newRun(now())
			if !ev.once {
				id = runOf(ev.ID, t.program.Flow().Metadata.ID, t.ID)
			}
			out = append(out, start{t, id})
		}
	}
	return out
}

// Cancel ends a run for good. Cancelling a run that is over only keeps late answers from reopening
// it.
func (e *Engine) Cancel(ctx context.Context, id, reason string) error {
	_, err := e.apply(ctx, id, change{event: run.Event{Kind: run.Cancelled, Reason: reason}})
	return err
}

// State returns the current state of a run. ErrNotFound if there is none.
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
