package api

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Scope of a token.
type Scope string

// The seed's two scopes.
const (
	TokenAccount  Scope = "account"  // every instance
	TokenInstance Scope = "instance" // one instance
)

// maxTokens bounds the file and the constant-time scan over it.
const maxTokens = 1000

// Token is what is kept of a token: never the token itself.
type Token struct {
	ID       string    `json:"id"`
	Scope    Scope     `json:"scope"`
	Instance string    `json:"instance,omitempty"` // of scope instance
	Hash     string    `json:"sha256"`             // hex; tokens have 256 random bits, so a plain hash is enough
	Created  time.Time `json:"created"`
}

// Tokens is the token file: JSON, mode 0600, replaced atomically. Safe for
// concurrent use within one process.
type Tokens struct {
	path string
	mu   sync.RWMutex
	list []Token
}

// OpenTokens reads the file at path; a missing file is an empty one.
func OpenTokens(path string) (*Tokens, error) {
	t := &Tokens{path: path}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	err = json.Unmarshal(raw, &t.list)
	for _, token := range t.list {
		if _, bad := hex.DecodeString(token.Hash); bad != nil || len(token.Hash) != 2*sha256.Size {
			err = errors.Join(err, fmt.Errorf("token %q has no hash", token.ID))
		}
	}
	if t.list == nil && err == nil {
		err = errors.New("it holds null, not a list")
	}
	if err != nil {
		return nil, fmt.Errorf("tokens file %s is damaged: %w; restore it, or delete it and make new tokens", path, err)
	}
	return t, nil
}

// Create makes a token and stores its hash. The token is returned once and
// cannot be had again. instance is empty for scope account.
func (t *Tokens) Create(scope Scope, instance string, now time.Time) (string, error) {
	if (scope == TokenInstance) != (instance != "") {
		return "", errors.New("a token of scope instance, and only that, names an instance")
	}
	raw := make([]byte, 32)
	rand.Read(raw)
	token := "tap_" + base64.RawURLEncoding.EncodeToString(raw)
	sum := sha256.Sum256([]byte(token))
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.list) >= maxTokens {
		return "", fmt.Errorf("there are %d tokens already; delete some", maxTokens)
	}
	list := append(append([]Token(nil), t.list...), Token{
		ID: hex.EncodeToString(sum[:6]), Scope: scope, Instance: instance, Hash: hex.EncodeToString(sum[:]), Created: now.UTC(),
	})
	if err := t.save(list); err != nil {
		return "", err
	}
	t.list = list
	return token, nil
}

// Len is the number of tokens.
func (t *Tokens) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.list)
}

// Check finds the token. It looks at every stored hash, so that its duration
// says nothing about them.
func (t *Tokens) Check(token string) (Token, bool) {
	sum := sha256.Sum256([]byte(token))
	hash := []byte(hex.EncodeToString(sum[:]))
	t.mu.RLock()
	defer t.mu.RUnlock()
	found := -1
	for i, known := range t.list {
		if subtle.ConstantTimeCompare(hash, []byte(known.Hash)) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Token{}, false
	}
	return t.list[found], true
}

func (t *Tokens) save(list []Token) error {
	raw, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(t.path), ".tokens-*")
	if err != nil {
		return fmt.Errorf("store token: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(append(raw, '\n'))
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("store token: %w", err)
	}
	return os.Rename(tmp.Name(), t.path)
}
