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

// Secret reads the server's secret in a data directory, and makes it the first time.
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

// Shared is the secret of all hosts of a Postgres database: that of the first.
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

// makeSecret puts a whole file in its place or none; the directory has one host.
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

// tokenPrefix tells an instance's token from the others. Behind it are the instance's name and
// the code that only the server can compute.
const tokenPrefix = "tapi_"

// token is the instance's in this rotation.
func (a *API) token(instance, rotation string) string {
	mac := hmac.New(sha256.New, a.secret)
	fmt.Fprintf(mac, "instance token\x00%s\x00%s", instance, rotation)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(instance)) + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// tokenFor is the token if a caller may see it: it gives rights, so only who has them does.
func (a *API) tokenFor(c access.Caller, instance, rotation string) string {
	if !c.Gives(access.AccountScopes()) {
		return ""
	}
	return a.token(instance, rotation)
}

// isName says whether an instance may be called so; a database could not even be asked for
// some other texts.
func isName(text string) bool {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	return text != "" && len(text) <= maxName && !strings.ContainsFunc(text, odd)
}

// Check finds the instance that a token is of; "" when it is none's.
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

// Current is the token that an instance has now; "" when there is no such instance.
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

// claimed is the instance that a token says it is of; "" when it is not of this kind.
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
