package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store/journal"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
)

// A successful send is answered when its outcome is in the journal; the ledger's row follows with
// the next transaction. A reader of the row waits for that transaction. If the process ends before
// it, the next start brings the outcome to the ledger.

// followed is an outcome in the journal.
type followed struct {
	Operation string `json:"op"`
	Instance  string `json:"instance"`
	Key       string `json:"key"`
	MessageID string `json:"id"`
	At        int64  `json:"at"`     // when it was known, unix ms
	SentAt    int64  `json:"sentAt"` // the server's time, unix ms; 0: not given
	JSON      []byte `json:"outcome,omitempty"`
	Warnings  []byte `json:"warnings,omitempty"`
	ChatLID   string `json:"chatLid,omitempty"`
}

// OpenJournal brings the outcomes of the last process to the ledger. From then on sends may be
// answered before their outcomes are in the database. No other process may use the directory. The
// caller closes the ledger.
func (l *Ledger) OpenJournal(ctx context.Context, dir string) error {
	j, err := journal.Open(dir, func(records [][]byte) error {
		left := make([]followed, len(records))
		for i, raw := range records {
			if err := json.Unmarshal(raw, &left[i]); err != nil {
				return err
			}
		}
		return l.recover(ctx, left)
	})
	l.journal, l.keys = j, &keys{}
	return err
}

// recover stores the outcomes that a process left in its journal, except those that the ledger
// already has and those of messages that it does not know.
func (l *Ledger) recover(ctx context.Context, left []followed) error {
	for batch := range slices.Chunk(left, sqldb.SweepBatch) {
		err := l.db.WriteUnsynced(ctx, "store the outcomes of the last process", func(t *sqldb.Tx) error {
			for _, f := range batch {
				e, err := lookup(ctx, t, f.Operation, f.Instance, f.Key)
				if errors.Is(err, sqldb.ErrNotFound) || err == nil && (e.MessageID != f.MessageID || e.State >= Sent) {
					continue
				}
				if err == nil {
					err = l.settle(t, e, true, f.outcome(), sqldb.Time(f.At))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (f followed) outcome() Outcome {
	return Outcome{State: Sent, JSON: f.JSON, Warnings: f.Warnings, ChatLID: f.ChatLID, SentAt: sqldb.Time(f.SentAt)}
}

// follow is Conclude by way of the journal. It returns false if that is not possible, for example
// because there is no journal or no room in it.
func (l *Ledger) follow(ctx context.Context, c *Claim, s *settled) bool {
	o, at := s.Outcome, s.at
	if l.journal == nil || o.State != Sent {
		return false
	}
	e := c.Entry
	raw, err := json.Marshal(followed{
		Operation: e.Operation, Instance: e.Instance, Key: e.Key, MessageID: e.MessageID,
		At: sqldb.Millis(at), SentAt: sqldb.Millis(o.SentAt), JSON: o.JSON, Warnings: o.Warnings, ChatLID: o.ChatLID,
	})
	if err != nil {
		return false
	}
	ticket, err := l.journal.Append(raw)
	if err != nil {
		return false // the database reports what is wrong with the disk
	}
	l.following.add(e)
	c.ahead.learn(s)
	err = l.db.Follow(ctx, "store the outcome", func(t *sqldb.Tx) error {
		if c.ahead.has(s) {
			return nil
		}
		return l.settle(t, e, c.menu != nil || c.Verdict != Fresh, o, at)
	}, func(err error) {
		l.following.remove(e)
		if err != nil && !errors.Is(err, sqldb.ErrNotFound) { // the instance may have been deleted meanwhile
			l.opt.Log.Error("the outcome of a send could not be stored; the next start stores it", "instance", e.Instance, "error", err)
			return
		}
		l.journal.Done(ticket)
	})
	if err != nil {
		l.following.remove(e)
	}
	return err == nil
}

// Followed returns once the outcome of a message, and what is stored with it, is in the database.
func (l *Ledger) Followed(ctx context.Context, instance, messageID string) error {
	return l.caughtUp(ctx, name{instance, "", messageID})
}

// caughtUp waits for the outcome of a send if it is on its way to the database.
func (l *Ledger) caughtUp(ctx context.Context, n name) error {
	if !l.following.has(n) {
		return nil
	}
	// Writes are committed in the order they came in.
	return l.db.WriteUnsynced(ctx, "wait for the outcome", func(*sqldb.Tx) error { return nil })
}

// String is the name for sqldb.Concerning.
func (n name) String() string {
	if n.operation == "" {
		return menus.Name(n.instance, n.id)
	}
	return "send/" + n.instance + "/" + n.operation + "/" + n.id
}

// name is one of the two names of a send: its key, with the operation, or its message id.
type name struct{ instance, operation, id string }

func (e Entry) names() [2]name {
	return [...]name{{e.Instance, e.Operation, e.Key}, {e.Instance, "", e.MessageID}}
}

// following holds the sends whose outcomes are on their way to the ledger, bounded by the
// database's queue.
type following struct {
	mu    sync.Mutex
	sends map[name]struct{}
}

func (f *following) add(e Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sends == nil {
		f.sends = make(map[name]struct{})
	}
	for _, n := range e.names() {
		f.sends[n] = struct{}{}
	}
}

func (f *following) remove(e Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range e.names() {
		delete(f.sends, n)
	}
}

func (f *following) has(n name) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.sends[n]
	return ok
}
