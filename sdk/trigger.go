package sdk

import (
	"context"
	"time"
)

// Trigger is a source of events.
type Trigger struct {
	ID      string
	Title   string
	Summary string
	Icon    string

	Filter []byte // JSON Schema 2020-12 of the subscription's filter
	Events []EventType
	Ports  []Port

	// Open starts reading for one subscriber. The server closes the Reader.
	Open func(ctx context.Context, s Subscription) (Reader, error)
}

// Subscription says what a host wants to read.
type Subscription struct {
	Operation  string
	Subscriber string // one open stream per (operation, subscriber)
	Filter     []byte // JSON, valid against Trigger.Filter; may be empty
	Cursor     []byte // of the last event the host has stored; empty: the oldest kept
	// Subscribers are all names under which the host subscribes to the operation; empty: the host
	// does not say. Every other subscriber can be forgotten.
	Subscribers []string
	Window      int // how many events may be sent and not yet acknowledged
	// BySubject means that the host wants to know for each subject whether it is behind; see
	// Event.Behind. Such a host acknowledges events once it has stored them. Subjects that are
	// behind may therefore leave a part of the window to the others; a reader for another host may
	// wait for a full window.
	BySubject bool
}

// Reader reads stored events after the subscription's cursor; events of one subject come in their
// order. The cursor of an event stands for everything that Next has returned up to it: the host
// acknowledges it once all of that is stored. Ack may be called while Next waits; apart from that
// no two calls overlap.
type Reader interface {
	// Resumed is false when events after the cursor have been deleted.
	Resumed() bool
	// Next waits for the next event. It ends with ctx's error. An event with a Cursor and nothing
	// else is progress: the filter lets through no further event up to that cursor. A reader that
	// filters returns progress now and then, so that the events it left out do not stay
	// unacknowledged for ever. An event with CaughtUp or Behind and possibly a Subject is progress,
	// too.
	Next(ctx context.Context) (Event, error)
	// Ack says that the host has stored everything up to cursor.
	Ack(ctx context.Context, cursor []byte) error
	// Close releases the reader. Next and Ack are not called afterwards.
	Close() error
}

// Event is one thing that happened, delivered at least once. The server sets Sequence.
type Event struct {
	Sequence    uint64    `json:"sequence,omitempty"`
	ID          string    `json:"id"`   // the same for every delivery of one event
	Type        string    `json:"type"` // EventType.Type
	Subject     string    `json:"subject,omitempty"`
	Time        time.Time `json:"time"`
	Data        JSON      `json:"data"`
	Cursor      []byte    `json:"cursor,omitempty"` // opaque; resume after it
	Correlation string    `json:"correlation,omitempty"`
	Traceparent string    `json:"traceparent,omitempty"` // W3C trace context of the cause, such as the call that this event answers
	// CaughtUp says, in an event of its own and once per Reader, that every event from before the
	// Reader was opened has been returned. A node whose triggers do so has FeatureCaughtUp; hosts
	// let no wait time out before that.
	CaughtUp bool `json:"-"`
	// Behind says, in an event of its own, that events of the Subject may be missing until a
	// CaughtUp with that Subject. It is for subscriptions with BySubject, where a CaughtUp without
	// a Subject does not cover the subjects that are behind.
	Behind bool `json:"-"`
}

// Features of a node's triggers.
const (
	// FeatureCaughtUp is the feature of a node whose readers send CaughtUp.
	FeatureCaughtUp = "caught_up"
	// FeatureSubjects is the feature of a node whose readers send Behind and return events of
	// different subjects in turns, so that many events of one subject do not delay the others.
	FeatureSubjects = "subjects"
)

// isProgress: see [Reader.Next].
func (e Event) isProgress() bool {
	return (len(e.Cursor) > 0 || e.isNews()) && e.ID == "" && e.Type == "" && len(e.Data) == 0
}

func (e Event) isNews() bool { return e.CaughtUp || e.Behind }
