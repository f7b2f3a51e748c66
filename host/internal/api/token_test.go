package api

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func openTokens(t *testing.T, path string) *Tokens {
	t.Helper()
	tokens, err := OpenTokens(path)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// TestTokensOfOtherProcessesCount is tapnode token while tapnode serve runs.
func TestTokensOfOtherProcessesCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	server, command := openTokens(t, path), openTokens(t, path)
	made, err := command.Create(TokenAccount, "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := server.Check(made); !ok {
		t.Error("the server does not know the new token")
	}
	if err := os.WriteFile(path, []byte(`[{"id":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := server.Check(made); !ok {
		t.Error("a damaged file locks everybody out")
	}
	if _, err := server.Create(TokenAccount, "", time.Now()); err == nil {
		t.Error("a damaged file was written over")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, ok := server.Check(made); ok || server.Len() != 0 {
		t.Error("a removed token still counts")
	}
}

func TestTokensMadeAtOnceAreAllKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	var wg sync.WaitGroup
	made := make([]string, 20)
	for i := range made {
		tokens := openTokens(t, path)
		wg.Go(func() {
			var err error
			if made[i], err = tokens.Create(TokenInstance, "shop", time.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	tokens := openTokens(t, path)
	for i, token := range made {
		if _, ok := tokens.Check(token); !ok {
			t.Errorf("token %d of %d was lost", i, tokens.Len())
		}
	}
}

func TestTokensThatMayMeanAnythingAreRefused(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for _, c := range []struct{ name, file string }{
		{"no hash", `[{"id":"1","scope":"account"}]`},
		{"no scope", `[{"id":"1","sha256":"` + hash + `"}]`},
		{"unknown scope", `[{"id":"1","scope":"admin","sha256":"` + hash + `"}]`},
		{"instance without a name", `[{"id":"1","scope":"instance","sha256":"` + hash + `"}]`},
		{"account with an instance", `[{"id":"1","scope":"account","instance":"shop","sha256":"` + hash + `"}]`},
		{"null", `null`},
	} {
		path := filepath.Join(t.TempDir(), "tokens.json")
		if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenTokens(path); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
