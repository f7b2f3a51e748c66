package api

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	// Reveal lets it read the numbers and texts in runs and dead letters.
	Reveal bool `json:"reveal,omitempty"`
}

// Tokens is the token file: JSON, mode 0600, replaced atomically. Several processes may
// use one: what tapnode token adds counts in a server that runs, and what somebody
// removes counts no more. Safe for concurrent use.
type Tokens struct {
	path string
	mu   sync.RWMutex
	list []Token
	seen os.FileInfo // of the file that list is from; nil: there was none
}

// OpenTokens reads the file at path; a missing file is an empty one.
func OpenTokens(path string) (*Tokens, error) {
	t := &Tokens{path: path}
	if err := t.refresh(); err != nil {
		return nil, err
	}
	return t, nil
}

// Create makes a token and stores its hash. The token is returned once and
// cannot be had again. instance is empty for scope account.
func (t *Tokens) Create(scope Scope, instance string, now time.Time) (string, error) {
	return t.make(Token{Scope: scope, Instance: instance, Created: now.UTC()})
}

// CreateRevealing is Create for a token of the account with Reveal.
func (t *Tokens) CreateRevealing(now time.Time) (string, error) {
	return t.make(Token{Scope: TokenAccount, Created: now.UTC(), Reveal: true})
}

func (t *Tokens) make(made Token) (string, error) {
	if (made.Scope == TokenInstance) != (made.Instance != "") {
		return "", errors.New("a token of scope instance, and only that, names an instance")
	}
	raw := make([]byte, 32)
	rand.Read(raw)
	token := "tap_" + base64.RawURLEncoding.EncodeToString(raw)
	sum := sha256.Sum256([]byte(token))
	unlock, err := lockFile(t.path + ".lock")
	if err != nil {
		return "", fmt.Errorf("store token: %w", err)
	}
	defer unlock()
	if err := t.refresh(); err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.list) >= maxTokens {
		return "", fmt.Errorf("there are %d tokens already; delete some", maxTokens)
	}
	made.ID, made.Hash = hex.EncodeToString(sum[:6]), hex.EncodeToString(sum[:])
	list := append(append([]Token(nil), t.list...), made)
	if err := writeTokens(t.path, list); err != nil {
		return "", fmt.Errorf("store token: %w", err)
	}
	t.seen = nil // the next look at the file takes it in
	return token, nil
}

// Len is the number of tokens.
func (t *Tokens) Len() int {
	_ = t.refresh() // a damaged file leaves what was known
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.list)
}

// Check finds the token. It looks at every stored hash, so that its duration
// says nothing about them. While the file is damaged, the tokens known before count.
func (t *Tokens) Check(token string) (Token, bool) {
	_ = t.refresh()
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

// refresh reads the file if it is another one than the list is from.
func (t *Tokens) refresh() error {
	info, err := os.Stat(t.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read tokens: %w", err)
	}
	if err != nil {
		info = nil
	}
	t.mu.RLock()
	same := sameFile(info, t.seen)
	t.mu.RUnlock()
	if same {
		return nil
	}
	var list []Token
	if info != nil {
		if list, info, err = readTokens(t.path); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list, t.seen = list, info
	return nil
}
