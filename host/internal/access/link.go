package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	// codeTime is how long the code of a link is valid.
	codeTime = 15 * time.Minute
	// maxCodes limits the codes that are not used yet. Those that expire first make room.
	maxCodes = 100
	// linkName is the name of a session that began with a link.
	linkName = "sign-in link"
)

// Link makes a code that begins one session, with some of the owner's rights.
func (a *Access) Link(ctx context.Context, scopes []Scope) (code string, until time.Time, err error) {
	if err := checkScopes(scopes); err != nil {
		return "", until, err
	}
	code, until = rand.Text(), sqldb.Time(sqldb.Millis(a.now().Add(codeTime)))
	hash := sha256.Sum256([]byte(code))
	return code, until, a.db.Write(ctx, "make a sign-in link", func(t *sqldb.Tx) error {
		_, err := t.Exec(`INSERT INTO engine_codes (hash, scopes, expires_at) VALUES ($1, $2, $3)`, hex.EncodeToString(hash[:]), scopesText(scopes), sqldb.Millis(until))
		if err == nil {
			_, err = t.Exec(`DELETE FROM engine_codes WHERE hash NOT IN (SELECT hash FROM engine_codes ORDER BY expires_at DESC, hash = $1 DESC, hash LIMIT $2)`, hex.EncodeToString(hash[:]), maxCodes)
		}
		return err
	})
}

// Offered says whether a code would begin a session.
func (a *Access) Offered(ctx context.Context, code string) (bool, error) {
	hash := sha256.Sum256([]byte(code))
	var expires int64
	err := a.db.Row(ctx, `SELECT expires_at FROM engine_codes WHERE hash = $1`, []any{hex.EncodeToString(hash[:])}, &expires)
	if errors.Is(err, sqldb.ErrNotFound) {
		return false, nil
	}
	return err == nil && a.now().Before(sqldb.Time(expires)), sqldb.Wrap("look up a code", err)
}

// Redeem begins the session that a code stands for. ok is false for a code that is used, expired or unknown.
func (a *Access) Redeem(ctx context.Context, code string) (secret string, s Session, ok bool, err error) {
	hash := sha256.Sum256([]byte(code))
	err = a.db.Write(ctx, "sign in by a link", func(t *sqldb.Tx) error {
		var scopes string
		var expires int64
		err := t.Row(`SELECT scopes, expires_at FROM engine_codes WHERE hash = $1`, []any{hex.EncodeToString(hash[:])}, &scopes, &expires)
		if errors.Is(err, sqldb.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		n, err := t.Exec(`DELETE FROM engine_codes WHERE hash = $1`, hex.EncodeToString(hash[:])) // of two attempts at the same time, only one deletes it
		if err != nil || n == 0 || !a.now().Before(sqldb.Time(expires)) {
			return err
		}
		ok = true
		secret, s, err = a.begin(t, Caller{ID: Owner().ID, Name: linkName, Scopes: scopesOf(scopes)}, hash)
		return err
	})
	return secret, s, ok && err == nil, err
}
