package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/sdk"
)

// givenID is the id of the token from the environment, which no command can change.
const givenID = "environment"

// minGiven is the minimum length of a token that people made themselves, since its plain hash is kept.
const minGiven = 32

// Create makes a token with the name, scopes, instances and expiry of t. The caller must have every right
// that the token gets.
func (a *Access) Create(ctx context.Context, by Caller, t Token) (secret string, made Token, err error) {
	now := a.now()
	if err := t.check(now); err != nil {
		return "", Token{}, err
	}
	if !by.All() || !by.Gives(t.Scopes) {
		return "", Token{}, forbidden("a token gives only rights that it has itself")
	}
	secret, hash := newSecret(tokenPrefix)
	made = Token{ID: newID(), Name: t.Name, Scopes: t.Scopes, Instances: t.Instances, Created: sqldb.Time(sqldb.Millis(now)), Expires: t.Expires}
	if err := a.insert(ctx, entry{Token: made, hash: hash}); err != nil {
		return "", Token{}, err
	}
	return secret, made, a.reload(ctx)
}

func (a *Access) insert(ctx context.Context, entries ...entry) error {
	return a.db.Write(ctx, "store a token", func(t *sqldb.Tx) error {
		var count int
		if err := t.Row(`SELECT count(*) FROM engine_tokens`, nil, &count); err != nil {
			return err
		}
		if count+len(entries) > maxTokens {
			return &sdk.Problem{Code: "too_many_tokens", HTTPStatus: http.StatusConflict, Message: fmt.Sprintf("there are %d tokens; revoke some", count), Effect: sdk.EffectNone, Fault: sdk.FaultCaller}
		}
		for _, e := range entries {
			if _, err := e.put(t); err != nil {
				return err
			}
		}
		return nil
	})
}

// put stores a token, unless there is one with its id.
func (e entry) put(t *sqldb.Tx) (int64, error) {
	var expires time.Time
	if e.Expires != nil {
		expires = *e.Expires
	}
	return t.Exec(`INSERT INTO engine_tokens (id, name, scopes, instances, hash, created_at, expires_at, used_at, previous, previous_until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, '', 0) ON CONFLICT DO NOTHING`, e.ID, e.Name, scopesText(e.Scopes), strings.Join(e.Instances, " "),
		hex.EncodeToString(e.hash[:]), sqldb.Millis(e.Created), sqldb.Millis(expires))
}

// Rotate gives a token a new secret. The old one stays valid for grace.
func (a *Access) Rotate(ctx context.Context, by Caller, id string, grace time.Duration) (secret string, t Token, err error) {
	old, err := a.mine(ctx, by, id)
	if err != nil {
		return "", Token{}, err
	}
	if grace < 0 || grace > MaxGrace {
		return "", Token{}, refuse("/graceSeconds", fmt.Sprintf("a token lives on for at most %s", MaxGrace))
	}
	if !by.Gives(old.Scopes) {
		return "", Token{}, forbidden("a token sees only secrets of tokens with rights that it has itself")
	}
	secret, hash := newSecret(tokenPrefix)
	err = a.db.Write(ctx, "rotate a token", func(t *sqldb.Tx) error {
		n, err := t.Exec(`UPDATE engine_tokens SET previous = hash, previous_until = $3, hash = $2 WHERE id = $1`,
			id, hex.EncodeToString(hash[:]), sqldb.Millis(a.now().Add(grace)))
		return changed(n, err)
	})
	if err != nil {
		return "", Token{}, err
	}
	if err := a.reload(ctx); err != nil {
		return "", Token{}, err
	}
	t, err = a.token(id)
	return secret, t, err
}

// Revoke ends a token at once, with the sessions that began with it.
func (a *Access) Revoke(ctx context.Context, by Caller, id string) error {
	if _, err := a.mine(ctx, by, id); err != nil {
		return err
	}
	err := a.db.Write(ctx, "revoke a token", func(t *sqldb.Tx) error {
		if _, err := t.Exec(`DELETE FROM engine_sessions WHERE token = $1`, id); err != nil {
			return err
		}
		return changed(t.Exec(`DELETE FROM engine_tokens WHERE id = $1`, id))
	})
	if err != nil {
		return err
	}
	return a.reload(ctx)
}

func changed(n int64, err error) error {
	if err == nil && n == 0 {
		err = unknown()
	}
	return err
}

// mine returns the token that a caller wants to change, if the caller may.
func (a *Access) mine(ctx context.Context, by Caller, id string) (Token, error) {
	if !by.All() {
		return Token{}, forbidden("this needs a token of the whole account")
	}
	if err := a.reload(ctx); err != nil {
		return Token{}, err
	}
	if id == givenID {
		return Token{}, &sdk.Problem{Code: "conflict", HTTPStatus: http.StatusConflict, Message: "that token is given by the environment: change it there, and restart",
			Effect: sdk.EffectNone, Fault: sdk.FaultCaller}
	}
	return a.token(id)
}

func (a *Access) token(id string) (Token, error) {
	a.known.mu.RLock()
	defer a.known.mu.RUnlock()
	for _, e := range a.known.list {
		if e.ID == id {
			return e.Token, nil
		}
	}
	return Token{}, unknown()
}

func unknown() error {
	return &sdk.Problem{Code: "not_found", HTTPStatus: http.StatusNotFound, Message: "there is no such token", Effect: sdk.EffectNone, Fault: sdk.FaultCaller}
}

func forbidden(message string) error {
	return &sdk.Problem{Code: "forbidden", HTTPStatus: http.StatusForbidden, Message: message, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}
}

// Give accepts a token from the environment as one of the account. It is never stored.
func (a *Access) Give(secret string) error {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(secret) < minGiven || len(secret) > 4096 || strings.ContainsFunc(secret, odd) {
		return errors.New("a given account token has 32 to 4096 printable characters without spaces; openssl rand -hex 32 makes one")
	}
	a.known.mu.Lock()
	defer a.known.mu.Unlock()
	a.known.given = &entry{Token: Token{ID: givenID, Name: "account", Scopes: AccountScopes(), Created: a.now().UTC()}, hash: sha256.Sum256([]byte(secret))}
	a.fill()
	return nil
}

// firstID is the id of the first token. It is fixed, so that of hosts that start together only one makes it.
const firstID = "first"

// First makes the account's first token. secret is "" if there already is a token, even one that another
// host made at the same moment.
func (a *Access) First(ctx context.Context) (secret string, err error) {
	if a.Len() > 0 {
		return "", nil
	}
	secret, hash := newSecret(tokenPrefix)
	token := entry{Token: Token{ID: firstID, Name: "account", Scopes: AccountScopes(), Created: sqldb.Time(sqldb.Millis(a.now()))}, hash: hash}
	var stored int64
	err = a.db.Write(ctx, "store the first token", func(t *sqldb.Tx) error {
		var count int
		err := t.Row(`SELECT count(*) FROM engine_tokens`, nil, &count)
		if err == nil && count == 0 {
			stored, err = token.put(t)
		}
		return err
	})
	if err == nil {
		err = a.reload(ctx)
	}
	if err != nil || stored == 0 {
		return "", err
	}
	return secret, a.Record(ctx, Entry{Caller: "start", Action: "make the first token", About: "token " + firstID, Status: http.StatusCreated})
}

// Len returns the number of tokens.
func (a *Access) Len() int {
	a.known.mu.RLock()
	defer a.known.mu.RUnlock()
	return len(a.known.list) + len(a.known.fixed())
}
