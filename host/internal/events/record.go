package events

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// The codes of dead letters.
const (
	codeExpired  = "expired"  // it was tried for tryFor
	codeFull     = "full"     // too many events wait for this webhook
	codeGone     = "gone"     // the receiver answered 410
	codeDisabled = "disabled" // somebody disabled the webhook
)

// record has the outcomes since the last commit.
type record struct {
	attempts []Attempt
	waits    map[uint64]queued // rows of the queue that are new or changed
	done     map[uint64]bool   // rows of the queue to delete
	dead     []Undelivered
	lost     int64
	gone     bool // the receiver answered 410: disable the webhook
}

func newRecord() *record { return &record{waits: map[uint64]queued{}, done: map[uint64]bool{}} }

func (r *record) empty() bool {
	return len(r.attempts) == 0 && len(r.waits) == 0 && len(r.done) == 0 && len(r.dead) == 0 && r.lost == 0 && !r.gone
}

func (r *record) wait(q queued) {
	delete(r.done, q.position)
	r.waits[q.position] = q
}

func (r *record) drop(position uint64) {
	delete(r.waits, position)
	r.done[position] = true
}

func (r *record) bury(ev Event, attempts int, code, reason string, now time.Time) {
	r.dead = append(r.dead, Undelivered{ID: ev.ID, Position: ev.Position, Type: ev.Type, Instance: ev.Instance, Run: ev.Run,
		Time: ev.Time, Data: ev.Data, Attempts: attempts, Code: code, Error: reason, Died: now})
}

// errRemoved means that the webhook does not exist any more or, in load, that it is disabled.
var errRemoved = errors.New("the webhook was removed")

// commitTime bounds the storing of a record.
const commitTime = 30 * time.Second

// keep stores a record together with the position up to which every event is settled. The write is
// not synced: events whose outcome is lost in a power cut are delivered again.
func (s *Service) keep(ctx context.Context, webhook string, position uint64, r *record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	err := s.opt.DB.WriteUnsynced(ctx, "store what became of events", func(t *sqldb.Tx) error {
		if err := errors.Join(s.lease.check(t), s.server.within(t)); err != nil {
			return err
		}
		n, err := advance(t, webhook, position, len(r.attempts))
		if err != nil {
			return err
		}
		return r.store(t, s.store, webhook, n)
	})
	if errors.Is(err, sqldb.ErrNotFound) {
		return errRemoved
	}
	return err
}

func (r *record) store(t *sqldb.Tx, s store, webhook string, n int64) error {
	for _, q := range r.waits {
		if _, err := t.Exec(`INSERT INTO engine_webhook_queue (webhook, seq, lane, attempt, at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (webhook, seq) DO UPDATE SET attempt = excluded.attempt, at = excluded.at`,
			webhook, int64(q.position), q.lane, q.attempt, sqldb.Millis(q.at)); err != nil {
			return err
		}
	}
	for position := range r.done {
		if _, err := t.Exec(`DELETE FROM engine_webhook_queue WHERE webhook = $1 AND seq = $2`, webhook, int64(position)); err != nil {
			return err
		}
	}
	for _, d := range r.dead {
		if err := putDead(t, webhook, d); err != nil {
			return err
		}
	}
	if r.lost > 0 {
		if _, err := t.Exec(`UPDATE engine_webhooks SET lost = lost + $2 WHERE id = $1`, webhook, r.lost); err != nil {
			return err
		}
	}
	if err := putLog(t, webhook, n, r.attempts); err != nil || !r.gone {
		return err
	}
	if err := s.bury(t, webhook); err != nil {
		return err
	}
	if _, err := t.Exec(`UPDATE engine_webhooks SET enabled = 0, reason = 'the receiver answered 410 Gone' WHERE id = $1`, webhook); err != nil {
		return err
	}
	return changed(t)
}

// join adds the outcomes of a later record.
func (r *record) join(later *record) {
	r.attempts = append(r.attempts, later.attempts...)
	r.dead = append(r.dead, later.dead...)
	r.lost += later.lost
	r.gone = r.gone || later.gone
	for _, q := range later.waits {
		r.wait(q)
	}
	for position := range later.done {
		r.drop(position)
	}
}

// commit stores the outcomes so far and the position up to which every event is settled. Unless it
// is the last commit of a life, it does not store a small advance of the position alone.
func (d *sender) commit(ctx context.Context, last bool) error {
	d.mu.Lock()
	settled := slices.IndexFunc(d.order, func(i *item) bool { return !i.settled })
	switch {
	case settled < 0:
		d.order, d.mark = nil, d.taken
	default:
		d.order = d.order[settled:]
		d.mark = d.order[0].position - 1
	}
	r, mark := d.record, d.mark
	if r.empty() && (mark == d.stored || mark-d.stored < moved && !last) {
		d.mu.Unlock()
		return nil
	}
	d.record = newRecord()
	d.mu.Unlock()
	err := d.s.keep(ctx, d.id, mark, r)
	if err == nil && r.gone {
		d.s.announce()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		r.join(d.record)
		d.record = r
		return err
	}
	d.stored = mark
	return nil
}
