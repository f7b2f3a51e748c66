// Package answers keeps the answers to requests by their Idempotency-Key, so that a repeated
// request gets the same answer without acting again. It is for requests that nothing else makes
// safe to repeat.
//
// What it guarantees:
//
//   - Of two requests with the same key, even at the same time and on different hosts, only one
//     acts.
//   - A key belongs to its owner: the same key of two owners is two keys.
//   - A request whose host died while it acted is never repeated automatically: a repeat by the
//     caller gets [ErrLost].
//   - An owner has at most 5,000 keys, and an answer at most 16 KiB. All are removed after a day,
//     and the oldest earlier when there are more than 100,000.
package answers

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	// Keep is how long a key is known.
	Keep = 24 * time.Hour
	// MaxBody bounds the body that is kept of an answer, in bytes.
	MaxBody = 16 << 10

	maxOwned = 5_000
	maxAll   = 100_000
	// actTime is longer than any request takes to act.
	actTime = 10 * time.Minute
)

// Reasons why a request must not act.
var (
	ErrRunning = errors.New("the first request with this key is not answered yet")
	ErrOther   = errors.New("the key was used for another request")
	ErrLost    = errors.New("the first request with this key was interrupted, and nobody knows what became of it")
	ErrTooMany = errors.New("there are as many keys as one may have")
)

// Answer is the answer to a request.
type Answer struct {
	Status   int
	Type     string // of the body
	Location string
	Body     []byte
	// Cut means that the body was larger than MaxBody and is not kept.
	Cut bool
}

// Store keeps answers in the engine's database. It must be started, so that it removes old answers,
// and stopped.
type Store struct {
	db      *sqldb.DB
	now     func() time.Time
	sweeper *sqldb.Sweeper
}

// New returns a Store that has not started. now may be nil.
func New(db *sqldb.DB, now func() time.Time, log *slog.Logger) *Store {
	if now == nil {
		now = time.Now
	}
	s := &Store{db: db, now: now}
	s.sweeper = sqldb.NewSweeper(log, db.Sweeping(func() []sqldb.Sweep {
		return []sqldb.Sweep{{Table: "engine_answers", Key: "owner, key", Order: "begun_at", Over: "begun_at < $1", Before: now().Add(-Keep), Limit: maxAll}}
	}))
	return s
}

// Start begins to remove old answers in the background, until Stop.
func (s *Store) Start() { s.sweeper.Start() }

// Stop ends what Start began.
func (s *Store) Stop() { s.sweeper.Stop() }

// Begin reserves a key for a request; the text request tells different requests apart by their
// content. If Begin returns neither an answer nor an error, the request may act, and the caller
// must call End.
func (s *Store) Begin(ctx context.Context, owner, key, request string) (known *Answer, err error) {
	now := s.now()
	err = s.db.Write(ctx, "begin a keyed request", func(t *sqldb.Tx) error {
		if _, err := t.Exec(`DELETE FROM engine_answers WHERE owner = $1 AND key = $2 AND begun_at < $3`, owner, key, sqldb.Millis(now.Add(-Keep))); err != nil {
			return err
		}
		n, err := t.Exec(`INSERT INTO engine_answers (owner, key, request, begun_at, status, type, location, body, cut)
			SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS BIGINT), 0, '', '', $6, 0
			WHERE (SELECT count(*) FROM engine_answers WHERE owner = $1) < $5 ON CONFLICT (owner, key) DO NOTHING`, owner, key, request, sqldb.Millis(now), maxOwned, []byte{})
		if err != nil || n > 0 {
			known = nil
			return err
		}
		known, err = s.known(t, owner, key, request, now)
		return err
	})
	return known, err
}

// known returns the answer of the request that has the key, or why there is none.
func (s *Store) known(t *sqldb.Tx, owner, key, request string, now time.Time) (*Answer, error) {
	var a Answer
	var first string
	var begun int64
	err := t.Row(`SELECT request, begun_at, status, type, location, body, cut FROM engine_answers WHERE owner = $1 AND key = $2`, []any{owner, key},
		&first, &begun, &a.Status, &a.Type, &a.Location, &a.Body, &a.Cut)
	switch {
	case errors.Is(err, sqldb.ErrNotFound):
		return nil, ErrTooMany
	case err != nil:
		return nil, err
	case first != request:
		return nil, ErrOther
	case a.Status == 0 && now.Sub(sqldb.Time(begun)) < actTime:
		return nil, ErrRunning
	case a.Status == 0:
		return nil, ErrLost
	}
	return &a, nil
}

// End keeps the answer of a request that Begin let act. With a nil answer nothing has happened, and
// a repeat may act.
func (s *Store) End(ctx context.Context, owner, key string, a *Answer) error {
	return s.db.Write(ctx, "end a keyed request", func(t *sqldb.Tx) error {
		if a == nil {
			_, err := t.Exec(`DELETE FROM engine_answers WHERE owner = $1 AND key = $2 AND status = 0`, owner, key)
			return err
		}
		cut, body := 0, a.Body
		if a.Cut || len(body) > MaxBody {
			cut, body = 1, []byte{}
		}
		if body == nil {
			body = []byte{}
		}
		_, err := t.Exec(`UPDATE engine_answers SET status = $3, type = $4, location = $5, body = $6, cut = $7 WHERE owner = $1 AND key = $2`,
			owner, key, a.Status, a.Type, a.Location, body, cut)
		return err
	})
}
