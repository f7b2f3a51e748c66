package seed

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// secretName is the file in a data directory that holds the server's secret.
const secretName = "instance-tokens.key"

// secretBytes is the secret's length.
const secretBytes = 32

// Secret reads the server's secret from a data directory, and creates it the first time.
func Secret(dir string) ([]byte, error) {
	path := filepath.Join(dir, secretName)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeSecret(dir, path)
	}
	if err != nil {
		return nil, fmt.Errorf("the secret of the instance tokens: %w", err)
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(secret) != secretBytes {
		return nil, fmt.Errorf("%s is damaged: restore it, or delete it and give every client its instance's new token", path)
	}
	return secret, nil
}

// Shared returns the common secret of all hosts that share a Postgres database: the own secret of
// the first host that called it.
func Shared(ctx context.Context, db *sqldb.DB, own []byte) (secret []byte, err error) {
	var text string
	err = db.Write(ctx, "share the secret", func(t *sqldb.Tx) error {
		if _, err := t.Exec(`INSERT INTO engine_secrets (name, value) VALUES ('server', $1) ON CONFLICT (name) DO NOTHING`, hex.EncodeToString(own)); err != nil {
			return err
		}
		return t.Row(`SELECT value FROM engine_secrets WHERE name = 'server'`, nil, &text)
	})
	if err == nil {
		secret, err = hex.DecodeString(text)
	}
	if err == nil && len(secret) != secretBytes {
		err = errors.New("the secret in the database is damaged")
	}
	return secret, err
}

// makeSecret creates the file with a new secret atomically. Only one host uses the directory, so no
// other creates one at the same time.
func makeSecret(dir, path string) ([]byte, error) {
	secret := make([]byte, secretBytes)
	rand.Read(secret)
	tmp, err := os.CreateTemp(dir, ".secret-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("the secret of the instance tokens: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = fmt.Fprintf(tmp, "%x\n", secret)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return nil, fmt.Errorf("the secret of the instance tokens: %w", err)
	}
	return secret, nil
}

// tokenPrefix distinguishes the tokens of instances from other tokens. The instance's name and a
// code that only the server can compute follow it.
const tokenPrefix = "tapi_"

// token is the token of an instance in a rotation.
func (a *API) token(instance, rotation string) string {
	mac := hmac.New(sha256.New, a.secret)
	fmt.Fprintf(mac, "instance token\x00%s\x00%s", instance, rotation)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(instance)) + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// tokenFor is the token, or "" if the caller may not see it: only a caller who has all the rights
// that the token gives may.
func (a *API) tokenFor(c access.Caller, instance, rotation string) string {
	if !c.Gives(access.AccountScopes()) {
		return ""
	}
	return a.token(instance, rotation)
}

// isName reports whether an instance can have this name. A database query would fail for some of the
// texts that it excludes.
func isName(text string) bool {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	return text != "" && len(text) <= maxName && !strings.ContainsFunc(text, odd)
}

// Check returns the instance that a token belongs to, or "" if the token is not valid.
func (a *API) Check(ctx context.Context, token string) (instance string, err error) {
	name := claimed(token)
	if name == "" {
		return "", nil
	}
	current, err := a.Current(ctx, name)
	if err != nil || current == "" || !hmac.Equal([]byte(token), []byte(current)) {
		return "", err
	}
	return name, nil
}

// Current is the current token of an instance, or "" if there is no such instance.
func (a *API) Current(ctx context.Context, instance string) (string, error) {
	rotation, err := a.store.rotation(ctx, instance)
	if errors.Is(err, sqldb.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", stored(err)
	}
	return a.token(instance, rotation), nil
}

// claimed is the instance that a token names, unverified; "" if it is not a token of an instance.
func claimed(token string) string {
	encoded, ok := strings.CutPrefix(token, tokenPrefix)
	encoded, _, dot := strings.Cut(encoded, ".")
	if !ok || !dot {
		return ""
	}
	name, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || !isName(string(name)) {
		return ""
	}
	return string(name)
}
