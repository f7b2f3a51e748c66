package access

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// known are the tokens as the database had them at the last reload.
type known struct {
	reading sync.Mutex // held by a reload

	mu     sync.RWMutex
	list   []entry
	index  map[[sha256.Size]byte]*entry // list and given by sealed hash
	given  *entry                       // the token from the environment, which is not in the database
	loaded time.Time
	used   map[string]time.Time // last uses by id, which may not be stored yet
}

// entry is a token with its hashes.
type entry struct {
	Token
	hash, previous [sha256.Size]byte
}

// Find returns the caller whose token this is. ok is false if the token is not valid.
func (a *Access) Find(secret string) (c Caller, ok bool, err error) {
	hash, now := sha256.Sum256([]byte(secret)), a.now()
	k := &a.known
	k.mu.RLock()
	stale := a.shared() && now.Sub(k.loaded) > staleAfter
	found := k.index[a.sealed(hash)]
	k.mu.RUnlock()
	switch {
	case found == nil || !found.matches(hash, now):
		return Caller{}, false, nil
	case stale:
		return Caller{}, false, fmt.Errorf("the tokens were read last at %s", k.loaded.Format(time.TimeOnly))
	}
	a.note(found.ID, now)
	return found.caller(), true, nil
}

// sealed returns the key by which a hash is looked up. Outside the process nobody can tell which hashes
// have similar keys, so the time that a look-up takes reveals nothing about the hashes that are kept.
func (a *Access) sealed(hash [sha256.Size]byte) (out [sha256.Size]byte) {
	mac := hmac.New(sha256.New, a.seal)
	mac.Write(hash[:])
	mac.Sum(out[:0])
	return out
}

// fill rebuilds the index. The caller holds mu.
func (a *Access) fill() {
	k := &a.known
	k.index = make(map[[sha256.Size]byte]*entry, len(k.list)+1)
	add := func(e *entry) {
		k.index[a.sealed(e.hash)] = e
		if e.PreviousUntil != nil {
			k.index[a.sealed(e.previous)] = e
		}
	}
	for i := range k.list {
		add(&k.list[i])
	}
	if k.given != nil {
		add(k.given)
	}
}

// matches compares a hash in constant time, and checks the expiry.
func (e *entry) matches(hash [sha256.Size]byte, now time.Time) bool {
	current := subtle.ConstantTimeCompare(hash[:], e.hash[:]) == 1
	previous := subtle.ConstantTimeCompare(hash[:], e.previous[:]) == 1
	return (e.Expires == nil || now.Before(*e.Expires)) && (current || previous && e.PreviousUntil != nil && now.Before(*e.PreviousUntil))
}

func (e *entry) caller() Caller {
	return Caller{ID: e.ID, Name: e.Name, Scopes: e.Scopes, Instances: e.Instances}
}

// note remembers the use of a token, at most once a minute.
func (a *Access) note(id string, now time.Time) {
	k := &a.known
	k.mu.RLock()
	last := k.used[id]
	k.mu.RUnlock()
	if now.Sub(last) < time.Minute {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.used[id] = now
}

// saveUse stores when tokens were used last: at most once a minute for each.
func (a *Access) saveUse(ctx context.Context) error {
	k := &a.known
	k.mu.RLock()
	var news []entry
	for _, e := range k.list {
		if at := k.used[e.ID]; !at.IsZero() && (e.LastUsed == nil || at.Sub(*e.LastUsed) >= time.Minute) {
			e.LastUsed = &at
			news = append(news, e)
		}
	}
	k.mu.RUnlock()
	if len(news) == 0 {
		return nil
	}
	err := a.db.WriteUnsynced(ctx, "note the use of tokens", func(t *sqldb.Tx) error {
		for _, e := range news {
			if _, err := t.Exec(`UPDATE engine_tokens SET used_at = $2 WHERE id = $1 AND used_at < $2`, e.ID, sqldb.Millis(*e.LastUsed)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.reload(ctx)
}

// reload reads the tokens from the database. When it returns, everything stored before the call is in
// effect. Reloads run one at a time, so that a slow one cannot overwrite the result of a later one.
func (a *Access) reload(ctx context.Context) error {
	a.known.reading.Lock()
	defer a.known.reading.Unlock()
	now := a.now()
	list, err := sqldb.All(ctx, a.db, scanToken, `SELECT `+tokenColumns+` FROM engine_tokens ORDER BY created_at, id`)
	if err != nil {
		return sqldb.Wrap("read the tokens", err)
	}
	k := &a.known
	k.mu.Lock()
	defer k.mu.Unlock()
	used := map[string]time.Time{}
	for _, e := range slices.Concat(list, k.fixed()) {
		if at, ok := k.used[e.ID]; ok {
			used[e.ID] = at
		}
	}
	k.list, k.loaded, k.used = list, now, used
	a.fill()
	return nil
}

const tokenColumns = `id, name, scopes, instances, hash, created_at, expires_at, used_at, previous, previous_until`

func scanToken(row sqldb.Scanner) (e entry, err error) {
	var scopes, instances, hash, previous string
	var created, expires, used, until int64
	if err := row.Scan(&e.ID, &e.Name, &scopes, &instances, &hash, &created, &expires, &used, &previous, &until); err != nil {
		return e, err
	}
	e.Scopes = scopesOf(scopes)
	if instances != "" { // nil means all
		e.Instances = strings.Fields(instances)
	}
	e.Created = sqldb.Time(created)
	e.Expires, e.LastUsed, e.PreviousUntil = optional(expires), optional(used), optional(until)
	return e, errors.Join(readHash(&e.hash, hash), readHash(&e.previous, previous))
}

func scopesOf(text string) []Scope {
	var scopes []Scope
	for _, s := range strings.Fields(text) {
		scopes = append(scopes, Scope(s))
	}
	return scopes
}

func optional(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	at := sqldb.Time(ms)
	return &at
}

// readHash decodes a hash. An empty text leaves zeros, which match no token.
func readHash(into *[sha256.Size]byte, text string) error {
	if text == "" {
		return nil
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(into) {
		return errors.New("a token's hash is damaged")
	}
	copy(into[:], raw)
	return nil
}

// List returns all tokens, the oldest first.
func (a *Access) List(ctx context.Context) ([]Token, error) {
	if err := a.reload(ctx); err != nil {
		return nil, err
	}
	k := &a.known
	k.mu.RLock()
	defer k.mu.RUnlock()
	out := []Token{}
	for _, e := range slices.Concat(k.list, k.fixed()) {
		if at := k.used[e.ID]; !at.IsZero() {
			e.LastUsed = &at
		}
		out = append(out, e.Token)
	}
	return out, nil
}

func (k *known) fixed() []entry {
	if k.given == nil {
		return nil
	}
	return []entry{*k.given}
}
