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
	// Subscribers are all names under which the host subscribes to the operation; empty: it
	// does not say. Every other one can be forgotten.
	Subscribers []string
	Window      int // how many events may be on their way and not acknowledged
	// BySubject means that the host wants to know of each subject whether it is behind; see
	// Event.Behind. It acknowledges events when it has stored them, so those that are behind may
	// leave a part of the window to the others; another may wait for a window that is full.
	BySubject bool
}

// Reader reads stored events from after the subscription's cursor, those of one subject in
// their order. The cursor of an event says that everything which Next has given up to it is
// stored. Ack may be called while Next waits; beyond that no two calls overlap.
type Reader interface {
	// Resumed is false when events after the cursor are gone.
	Resumed() bool
	// Next waits for the next event. It ends with ctx's error. An event with a Cursor and
	// nothing else is progress: the filter lets through nothing more up to there. A reader
	// that filters gives one now and then, so that what it left out does not stay for ever
	// unacknowledged. So is an event with CaughtUp or Behind and maybe a Subject.
	Next(ctx context.Context) (Event, error)
	// Ack says that the host has stored everything up to cursor.
	Ack(ctx context.Context, cursor []byte) error
	// Close releases the reader. Next and Ack are not called afterwards.
	Close() error
}

// Event is one thing that happened, delivered at least once. Sequence is set by
// the server.
type Event struct {
	Sequence    uint64    `json:"sequence,omitempty"`
	ID          string    `json:"id"`   // the same for every delivery of the same thing
	Type        string    `json:"type"` // EventType.Type
	Subject     string    `json:"subject,omitempty"`
	Time        time.Time `json:"time"`
	Data        JSON      `json:"data"`
	Cursor      []byte    `json:"cursor,omitempty"` // opaque; resume after it
	Correlation string    `json:"correlation,omitempty"`
	Traceparent string    `json:"traceparent,omitempty"` // W3C trace context of what led here, such as the call this answers
	// CaughtUp says, in an event of its own and once per Reader, that all that had happened
	// when the Reader was opened has been given. A node whose triggers do so has
	// FeatureCaughtUp; hosts let no wait time out before.
	CaughtUp bool `json:"-"`
	// Behind says, in an event of its own, that something which happened to the Subject may be
	// missing, until CaughtUp is said of the Subject. It is for subscriptions with BySubject: there
	// CaughtUp without a Subject leaves out those that are behind.
	Behind bool `json:"-"`
}

// Features of a node's triggers.
const (
	// FeatureCaughtUp is the feature of a node whose readers say CaughtUp.
	FeatureCaughtUp = "caught_up"
	// FeatureSubjects is the feature of a node whose readers give events of different subjects
	// in turns, so that many of one hold up no other, and say Behind.
	FeatureSubjects = "subjects"
)

// isProgress: see [Reader.Next].
func (e Event) isProgress() bool {
	return (len(e.Cursor) > 0 || e.isNews()) && e.ID == "" && e.Type == "" && len(e.Data) == 0
}

func (e Event) isNews() bool { return e.CaughtUp || e.Behind }
