package events

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/sdk"
)

// Status is a webhook with the state of its deliveries.
type Status struct {
	*Webhook
	// Waiting is the number of events that wait for another attempt, and of those behind them.
	Waiting int
	// DeadLetters is the number of events that are not tried any more.
	DeadLetters int
	// Last is the newest attempt.
	Last *Attempt
}

// announce makes the loop read the webhooks again. Until it has, this host publishes events of runs,
// so that a new webhook for them does not miss the next run.
func (s *Service) announce() {
	s.asked.Add(1)
	s.runs.Store(true)
	select {
	case s.changed <- struct{}{}:
	default: // a token is there already
	}
}

// write runs a transaction that changes webhooks, and announces the change.
func (s *Service) write(ctx context.Context, what string, fn func(*sqldb.Tx) error) error {
	err := s.opt.DB.Write(ctx, what, fn)
	if err == nil {
		s.announce()
	}
	return stored(err)
}

// stored turns an error of the database into a problem for the caller; nil stays nil.
func stored(err error) error {
	if _, ok := errors.AsType[*sdk.Problem](err); ok || err == nil {
		return err
	}
	if errors.Is(err, sqldb.ErrNotFound) {
		return errUnknown
	}
	return &sdk.Problem{
		Code: "storage", HTTPStatus: http.StatusServiceUnavailable, Message: "The database of the host cannot be used: " + sqldb.Reason(err),
		Effect: sdk.EffectUnknown, Retryable: true, Fault: sdk.FaultNode, Err: err,
	}
}

// List returns the webhooks that an instance owns through the seed's API, or all without an owner
// if instance is "".
func (s *Service) List(ctx context.Context, instance string) ([]*Webhook, error) {
	if instance != "" {
		all, err := s.store.of(ctx, s.opt.DB, instance)
		return all, stored(err)
	}
	all, err := s.store.all(ctx, s.opt.DB, false)
	return all, stored(err)
}

// Find returns one webhook with its status.
func (s *Service) Find(ctx context.Context, id string) (Status, error) {
	w, err := s.store.find(ctx, s.opt.DB, id)
	if err != nil {
		return Status{}, stored(err)
	}
	out := Status{Webhook: w}
	err = s.opt.DB.Row(ctx, `SELECT (SELECT count(*) FROM engine_webhook_queue WHERE webhook = $1), (SELECT count(*) FROM engine_webhook_dead WHERE webhook = $1)`,
		[]any{id}, &out.Waiting, &out.DeadLetters)
	if err != nil {
		return Status{}, stored(err)
	}
	attempts, err := s.store.log(ctx, id, 1)
	if len(attempts) > 0 {
		out.Last = &attempts[0]
	}
	return out, stored(err)
}

// Create makes a webhook. Only this call returns its secret.
func (s *Service) Create(ctx context.Context, settings Settings, enabled bool) (w *Webhook, secret string, err error) {
	if bad := settings.check(s.guard); bad != nil {
		return nil, "", sdk.Invalid(bad...)
	}
	err = s.write(ctx, "make a webhook", func(t *sqldb.Tx) error {
		var n int
		if err := t.Row(`SELECT count(*) FROM engine_webhooks WHERE owner IS NULL`, nil, &n); err != nil {
			return err
		}
		if n >= maxWebhooks {
			return refuse(http.StatusConflict, "too_many_webhooks", "There are "+strconv.Itoa(maxWebhooks)+" webhooks already; delete one")
		}
		w = &Webhook{Settings: settings, Enabled: enabled}
		return s.store.insert(t, w)
	})
	if err != nil {
		return nil, "", err
	}
	return w, s.secretOf(w.ID, w.rotation), nil
}

// Change replaces the settings of a webhook.
func (s *Service) Change(ctx context.Context, id string, settings Settings, enabled bool) (w *Webhook, err error) {
	if bad := settings.check(s.guard); bad != nil {
		return nil, sdk.Invalid(bad...)
	}
	err = s.write(ctx, "change a webhook", func(t *sqldb.Tx) error {
		was, err := s.mine(t, id)
		if err != nil {
			return err
		}
		now := *was
		now.Settings, now.Enabled, now.Reason = settings, enabled, ""
		w = &now
		return s.store.update(t, was, w)
	})
	return w, err
}

// mine finds a webhook and refuses one that the seed's API owns.
func (s *Service) mine(t *sqldb.Tx, id string) (*Webhook, error) {
	w, err := s.store.find(t.Context(), t, id)
	if err == nil && w.Owner != "" {
		return nil, refuse(http.StatusConflict, "owned", "This webhook was set for an instance: change it at POST /api/events/webhook/"+w.Owner)
	}
	return w, err
}

// Remove deletes a webhook with its dead letters.
func (s *Service) Remove(ctx context.Context, id string) error {
	return s.write(ctx, "delete a webhook", func(t *sqldb.Tx) error {
		if _, err := s.mine(t, id); err != nil {
			return err
		}
		return s.store.remove(t, id)
	})
}

// Rotate gives a webhook a new key. Until the returned time calls are also signed with the old key.
func (s *Service) Rotate(ctx context.Context, id string) (secret string, until time.Time, err error) {
	err = s.write(ctx, "rotate a webhook's key", func(t *sqldb.Tx) error {
		w, err := s.mine(t, id)
		if err != nil {
			return err
		}
		err = s.store.rotate(t, w)
		secret, until = s.secretOf(id, w.rotation), w.previousUntil
		return err
	})
	return secret, until, err
}

// Test calls a webhook once with a test event.
func (s *Service) Test(ctx context.Context, id string) (Attempt, error) {
	w, err := s.store.find(ctx, s.opt.DB, id)
	if err != nil {
		return Attempt{}, stored(err)
	}
	ev := Event{}
	ev.ID, ev.Type, ev.Time, ev.Instance = "test-"+newID(), typeTest, s.opt.Now().UTC(), w.Owner
	if ev.Data, err = json.Marshal(map[string]string{"webhook": w.ID}); err != nil {
		return Attempt{}, err
	}
	a := s.post(ctx, w, ev, 1)
	return a, s.logged(ctx, w, a, nil)
}

// logged adds an attempt that a caller asked for to the webhook's log. and, if not nil, runs in the
// same transaction.
func (s *Service) logged(ctx context.Context, w *Webhook, a Attempt, and func(*sqldb.Tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	return stored(s.opt.DB.Write(ctx, "log an attempt", func(t *sqldb.Tx) error {
		n, err := advance(t, w.ID, 0, 1)
		if err == nil {
			err = putLog(t, w.ID, n, []Attempt{a})
		}
		if err == nil && and != nil {
			err = and(t)
		}
		return err
	}))
}

// Deliveries returns the newest attempts of a webhook, newest first.
func (s *Service) Deliveries(ctx context.Context, id string, limit int) ([]Attempt, error) {
	if _, err := s.store.find(ctx, s.opt.DB, id); err != nil {
		return nil, stored(err)
	}
	all, err := s.store.log(ctx, id, min(limit, logSlots))
	return all, stored(err)
}

// DeadLetters returns the dead letters of a webhook, oldest first, from the one after a given one.
func (s *Service) DeadLetters(ctx context.Context, id, after string, limit int) ([]Undelivered, error) {
	if _, err := s.store.find(ctx, s.opt.DB, id); err != nil {
		return nil, stored(err)
	}
	all, err := s.store.dead(ctx, id, after, limit)
	return all, stored(err)
}

var errNoLetter = refuse(http.StatusNotFound, "not_found", "There is no such dead letter")

// DeadLetter returns the dead letter of an event.
func (s *Service) DeadLetter(ctx context.Context, id, event string) (Undelivered, error) {
	d, err := s.store.deadOne(ctx, id, event)
	if errors.Is(err, sqldb.ErrNotFound) {
		return Undelivered{}, errNoLetter
	}
	return d, stored(err)
}

// Redeliver sends a dead letter to the receiver once, under the event's id. If the receiver accepts
// it, the dead letter is removed.
func (s *Service) Redeliver(ctx context.Context, id, event string) (Attempt, error) {
	d, err := s.DeadLetter(ctx, id, event)
	if err != nil {
		return Attempt{}, err
	}
	w, err := s.store.find(ctx, s.opt.DB, id)
	if err != nil {
		return Attempt{}, stored(err)
	}
	ev := Event{Position: d.Position}
	ev.ID, ev.Type, ev.Instance, ev.Run, ev.Time, ev.Data = d.ID, d.Type, d.Instance, d.Run, d.Time, d.Data
	a := s.post(ctx, w, ev, d.Attempts+1)
	return a, s.logged(ctx, w, a, func(t *sqldb.Tx) error {
		if a.ok() {
			_, err := dropDead(t, id, event)
			return err
		}
		d.Attempts, d.Error = a.Attempt, a.Error
		return putDead(t, id, d)
	})
}

// Drop removes a dead letter.
func (s *Service) Drop(ctx context.Context, id, event string) error {
	return stored(s.opt.DB.Write(ctx, "drop a dead letter of a webhook", func(t *sqldb.Tx) error {
		n, err := dropDead(t, id, event)
		if err == nil && n == 0 {
			err = errNoLetter
		}
		return err
	}))
}

func newID() string { return rand.Text() }

// CheckURL refuses an address that an instance's webhook can never reach.
func (s *Service) CheckURL(u *url.URL) error {
	if s.guard.CheckHost(u.Hostname()) != nil {
		return refuse(http.StatusBadRequest, "address_refused", "URL: "+refusedAddress)
	}
	return nil
}

// Put stores a webhook of an instance for the seed's API. It replaces the webhook with the same
// label. The caller must call [Service.Changed] after the transaction is committed.
func (s *Service) Put(t *sqldb.Tx, instance string, settings Settings, enabled bool) error {
	there, err := s.store.of(t.Context(), t, instance)
	if err != nil {
		return err
	}
	for _, was := range there {
		if was.Label == settings.Label {
			now := *was
			now.Settings, now.Enabled, now.Reason = settings, enabled, ""
			return s.store.update(t, was, &now)
		}
	}
	return s.store.insert(t, &Webhook{Owner: instance, Settings: settings, Enabled: enabled})
}

// Of returns the webhooks of an instance, as a transaction sees them.
func (s *Service) Of(ctx context.Context, q sqldb.Querier, instance string) ([]*Webhook, error) {
	return s.store.of(ctx, q, instance)
}

// Changed announces that a committed transaction has added, changed or removed webhooks of instances.
func (s *Service) Changed() { s.announce() }

// Forgot notes in a transaction that instances, and with them their webhooks, were removed.
func Forgot(t *sqldb.Tx) error { return changed(t) }
