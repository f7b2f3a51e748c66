package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// maxFile bounds the file of tokens, in bytes: maxTokens of them fit.
const maxFile = 1 << 20

// Import takes over the tokens of the file in which hosts kept them before this package existed, and
// removes the file. The file need not exist.
func (a *Access) Import(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the tokens of an earlier host: %w", err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return fmt.Errorf("the tokens of an earlier host: %w", err)
	}
	var old []struct {
		ID       string    `json:"id"`
		Scope    string    `json:"scope"`
		Instance string    `json:"instance"`
		Hash     string    `json:"sha256"`
		Created  time.Time `json:"created"`
		Reveal   bool      `json:"reveal"`
	}
	if e := jsonstrict.Check(raw, jsonstrict.Limits{Bytes: maxFile, Depth: 4, Values: 20 * maxTokens, Digits: 20, NoNUL: true}); e != nil {
		return damaged(path, e)
	}
	if err := json.Unmarshal(raw, &old); err != nil {
		return damaged(path, err)
	}
	if old == nil {
		return damaged(path, errors.New("it holds null, not a list"))
	}
	var entries []entry
	for _, o := range old {
		e := entry{Token: Token{ID: o.ID, Scopes: AccountScopes(), Created: o.Created}}
		if o.Reveal {
			e.Scopes = append(e.Scopes, Reveal)
		}
		if o.Instance != "" {
			e.Instances = []string{o.Instance}
		}
		if err := errors.Join(readHash(&e.hash, o.Hash), e.check(a.now())); err != nil {
			return damaged(path, err)
		}
		if o.Hash == "" || o.ID == "" || (o.Scope == "instance") != (o.Instance != "") || o.Scope != "instance" && o.Scope != "account" {
			return damaged(path, fmt.Errorf("token %q is neither of an account nor of an instance", o.ID))
		}
		entries = append(entries, e)
	}
	if err := a.insert(ctx, entries...); err != nil {
		return err
	}
	if err := a.reload(ctx); err != nil {
		return err
	}
	return os.Remove(path)
}

func damaged(path string, err error) error {
	return fmt.Errorf("%s is damaged: %w; restore it, or delete it and make new tokens", path, err)
}
