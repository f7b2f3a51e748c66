package store

import (
	"log/slog"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
)

// Options say where the store is and how long it keeps its data. The zero value of every field but
// Dir is usable.
type Options struct {
	// Dir holds the SQLite file; it is created with mode 0700. Not used with Postgres.
	Dir string
	// Postgres is a connection string (libpq URL or key=value form); empty means SQLite.
	Postgres string
	// Relaxed allows a power cut, though not a crash of the process, to lose the last commits:
	// PRAGMA synchronous=NORMAL, or synchronous_commit=off. Signal sessions lose messages then. Off
	// by default.
	Relaxed bool

	// Alone says that no other process opens Dir. Sends and their outcomes may then be in files
	// there for a moment before they are in the database.
	Alone bool

	Retention Retention
	Limits    Limits

	// Status makes the events that report changes of a send; zero: hosts are not notified. They are
	// stored only while a host has subscribed to them.
	Status ledger.Events

	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log receives the reports of the sweeper and the session store; nil discards them.
	Log *slog.Logger
}

// Retention says how long rows are kept. Zero means the default.
type Retention struct {
	Ledger       time.Duration // of a concluded send and its key; 7 days
	Menus        time.Duration // after a menu was sent, or has expired if that is later; 90 days
	Events       time.Duration // for hosts that do not acknowledge; 30 days
	Acknowledged time.Duration // events, for hosts that are restored from an older copy; 7 days
	Seen         time.Duration // ids of incoming messages; 30 days (WhatsApp redelivers for 14)
	Messages     time.Duration // for replyTo; 30 days
	Subscribers  time.Duration // since a host was last heard of; 30 days
	Contacts     time.Duration // since somebody last wrote; 2 years
}

// Limits say how many rows a table may hold. Zero means the default. Over the
// limit the oldest go first, except in the ledger and among instances and
// subscribers, where new ones are refused with sqldb.ErrLimit.
type Limits struct {
	Instances    int // 1,000
	Subscribers  int // 10,000
	Ledger       int // 2,000,000
	Menus        int // 1,000,000
	Events       int // 500,000 of each type
	Acknowledged int // 100,000 events of each type
	Seen         int // 10,000,000; an event has an id for each name of its sender
	Messages     int // 1,000,000
	Contacts     int // 1,000,000
	Recipients   int // 500,000
	Uploads      int // 50,000
}

func (o Options) withDefaults() Options {
	const day = 24 * time.Hour
	or(&o.Retention.Ledger, 7*day)
	or(&o.Retention.Menus, 90*day)
	or(&o.Retention.Events, 30*day)
	or(&o.Retention.Acknowledged, 7*day)
	or(&o.Retention.Seen, 30*day)
	or(&o.Retention.Messages, 30*day)
	or(&o.Retention.Subscribers, 30*day)
	or(&o.Retention.Contacts, 2*365*day)
	or(&o.Limits.Instances, 1_000)
	or(&o.Limits.Subscribers, 10_000)
	or(&o.Limits.Ledger, 2_000_000)
	or(&o.Limits.Menus, 1_000_000)
	or(&o.Limits.Events, 500_000)
	or(&o.Limits.Acknowledged, 100_000)
	or(&o.Limits.Seen, 10_000_000)
	or(&o.Limits.Messages, 1_000_000)
	or(&o.Limits.Contacts, 1_000_000)
	or(&o.Limits.Recipients, 500_000)
	or(&o.Limits.Uploads, 50_000)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// or sets *v to fallback when it is zero.
func or[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}
