package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	// LifeTime is how long a session lasts, even if it is used.
	LifeTime = 7 * 24 * time.Hour
	// idleTime is how long a session lasts without use.
	idleTime = 12 * time.Hour
	// touchEvery is the precision of a session's last use.
	touchEvery = time.Minute
	// maxSessions limits the sessions of one token, and maxAllSessions those of all tokens. The least
	// recently used sessions make room.
	maxSessions    = 100
	maxAllSessions = 50_000
)

// Session is the session of a browser that has signed in. Its Caller has the session's rights.
type Session struct {
	Caller
	Began, Used time.Time
	origin      [sha256.Size]byte
}

// until returns when the session ends if it is not used again.
func (s Session) until() time.Time {
	if idle := s.Used.Add(idleTime); idle.Before(s.Began.Add(LifeTime)) {
		return idle
	}
	return s.Began.Add(LifeTime)
}

// BegunBy says whether the session began with this token.
func (s Session) BegunBy(token string) bool {
	hash := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(hash[:], s.origin[:]) == 1
}

// Begin starts a session for a caller that has presented its token. The secret is always new.
func (a *Access) Begin(ctx context.Context, by Caller, token string) (secret string, s Session, err error) {
	hash := sha256.Sum256([]byte(token))
	err = a.db.Write(ctx, "begin a session", func(t *sqldb.Tx) (err error) {
		secret, s, err = a.begin(t, by, hash)
		return err
	})
	return secret, s, err
}

func (a *Access) begin(t *sqldb.Tx, by Caller, origin [sha256.Size]byte) (secret string, s Session, err error) {
	now := a.now()
	secret, hash := newSecret("")
	s = Session{Caller: by, Began: now, Used: now, origin: origin}
	s.Session = "s" + strings.ToLower(rand.Text()[:10])
	s.Until = s.until()
	_, err = t.Exec(`INSERT INTO engine_sessions (id, hash, token, origin, scopes, instances, created_at, used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)`,
		s.Session, hex.EncodeToString(hash[:]), by.ID, hex.EncodeToString(origin[:]), scopesText(by.Scopes), strings.Join(by.Instances, " "), sqldb.Millis(now))
	if err == nil {
		_, err = t.Exec(`DELETE FROM engine_sessions WHERE token = $1 AND id NOT IN
			(SELECT id FROM engine_sessions WHERE token = $1 ORDER BY used_at DESC, id = $2 DESC, id LIMIT $3)`, by.ID, s.Session, maxSessions)
	}
	return secret, s, err
}

// Session finds a session by its secret, as long as the session and its token are valid. used counts the
// call as a use of the session. If the token is not kept here, such as an instance's own, the caller must
// check it with BegunBy.
func (a *Access) Session(ctx context.Context, secret string, used bool) (s Session, ok bool, err error) {
	hash := sha256.Sum256([]byte(secret))
	s, err = sqldb.One(ctx, a.db, scanSession, `SELECT `+sessionColumns+` FROM engine_sessions WHERE hash = $1`, hex.EncodeToString(hash[:]))
	if errors.Is(err, sqldb.ErrNotFound) {
		return Session{}, false, nil
	}
	if err != nil {
		return Session{}, false, sqldb.Wrap("read a session", err)
	}
	now := a.now()
	if s.Until = s.until(); !now.Before(s.Until) {
		return Session{}, false, nil
	}
	if ok, err = a.backed(ctx, &s, now); !ok || err != nil {
		return Session{}, false, err
	}
	a.note(s.ID, now)
	if used && now.Sub(s.Used) >= touchEvery {
		s.Used = now
		s.Until = s.until()
		err = a.db.WriteUnsynced(ctx, "note the use of a session", func(t *sqldb.Tx) error {
			_, err := t.Exec(`UPDATE engine_sessions SET used_at = $2 WHERE id = $1 AND used_at < $2`, s.Session, sqldb.Millis(now))
			return err
		})
	}
	return s, true, err
}

// backed says whether the token of a session is still valid and has the secret that the session began
// with, as far as the token is kept here, and gives the session the token's present rights. It reads the
// database, so that a revoked token ends its sessions on every host at once.
func (a *Access) backed(ctx context.Context, s *Session, now time.Time) (bool, error) {
	switch {
	case s.ID == Owner().ID, strings.HasPrefix(s.ID, InstanceID("")):
		return true, nil
	case s.ID == givenID:
		a.known.mu.RLock()
		defer a.known.mu.RUnlock()
		return a.known.given != nil && a.known.given.matches(s.origin, now), nil
	}
	e, err := sqldb.One(ctx, a.db, scanToken, `SELECT `+tokenColumns+` FROM engine_tokens WHERE id = $1`, s.ID)
	if errors.Is(err, sqldb.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, sqldb.Wrap("read the token of a session", err)
	}
	s.Name, s.Scopes, s.Instances = e.Name, e.Scopes, e.Instances
	if e.Expires != nil && e.Expires.Before(s.Until) {
		s.Until = *e.Expires
	}
	return e.matches(s.origin, now), nil
}

const sessionColumns = `id, token, origin, scopes, instances, created_at, used_at`

func scanSession(row sqldb.Scanner) (s Session, err error) {
	var origin, scopes, instances string
	var created, used int64
	if err := row.Scan(&s.Session, &s.ID, &origin, &scopes, &instances, &created, &used); err != nil {
		return s, err
	}
	if s.ID == Owner().ID {
		s.Name = linkName
	}
	s.Scopes, s.Began, s.Used = scopesOf(scopes), sqldb.Time(created), sqldb.Time(used)
	if instances != "" {
		s.Instances = strings.Fields(instances)
	}
	return s, readHash(&s.origin, origin)
}

// End ends the caller's session, or all that began with the same token. ended is false if there was none.
func (a *Access) End(ctx context.Context, c Caller, all bool) (ended bool, err error) {
	err = a.db.Write(ctx, "end a session", func(t *sqldb.Tx) error {
		n, err := t.Exec(`DELETE FROM engine_sessions WHERE id = $1`, c.Session)
		if all && err == nil {
			n, err = t.Exec(`DELETE FROM engine_sessions WHERE token = $1`, c.ID)
		}
		ended = n > 0
		return err
	})
	return ended, err
}

// InstanceID returns the id of a caller that has an instance's own token.
func InstanceID(instance string) string { return "instance " + instance }
