package seed

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
	"github.com/tapnode/tapnode/sdk"
)

// onBoth runs a test on SQLite and on Postgres.
func onBoth(t *testing.T, test func(t *testing.T, db *sqldb.DB)) {
	open := func(t *testing.T, o sqllog.Options) *sqldb.DB {
		log, err := sqllog.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := log.Close(); err != nil {
				t.Error(err)
			}
		})
		return log.DB()
	}
	t.Run("sqlite", func(t *testing.T) { test(t, open(t, sqllog.Options{Dir: t.TempDir()})) })
	t.Run("postgres", func(t *testing.T) { test(t, open(t, sqllog.Options{Postgres: sqldbtest.Postgres(t)})) })
}

// newAPI returns an API whose webhooks are stored but not called.
func newAPI(db *sqldb.DB) *API {
	return New(Options{DB: db, Secret: []byte("secret"), Hooks: events.New(events.Options{DB: db})})
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// A token is valid for its instance only, until the instance is created again or forgotten.
func TestTokensEndWithTheInstance(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		a := newAPI(db)
		rotation := must[string](t)(a.store.renew(t.Context(), "shop", &webhook{Label: "default"}))
		token := a.token("shop", rotation)
		check := func(token, want string) {
			t.Helper()
			if got := must[string](t)(a.Check(t.Context(), token)); got != want {
				t.Errorf("%.30q is of %q, want %q", token, got, want)
			}
		}
		check(token, "shop")
		check(strings.Replace(token, "tapi_", "tap_", 1), "")
		check(token[:len(token)-1], "")
		check(New(Options{DB: db, Secret: []byte("another")}).token("shop", rotation), "")
		check(a.token("shop2", rotation), "")
		check("tapi_", "")
		check(a.token("a\x00b", rotation), "")
		check(a.token("\xff", rotation), "")

		all := must[map[string]string](t)(a.store.rotations(t.Context(), []string{"shop", "other"}))
		if all["shop"] != rotation || all["other"] == "" || all["other"] == rotation {
			t.Errorf("rotations %v", all)
		}
		again := must[string](t)(a.store.renew(t.Context(), "shop", nil))
		check(token, "")
		check(a.token("shop", again), "shop")
		if left := must[[]*events.Webhook](t)(a.hooks.Of(t.Context(), db, "shop")); len(left) > 0 {
			t.Errorf("an instance that was made anew has the webhooks of the old one: %v", left)
		}
		if err := a.store.forget(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		check(a.token("shop", again), "")
	})
}

// Rows of instances that do not exist any more are pruned when they are old enough.
func TestPrune(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		now := time.Unix(1_800_000_000, 0)
		s := store{db, func() time.Time { return now }, newAPI(db).hooks}
		must[map[string]string](t)(s.rotations(t.Context(), []string{"old", "kept"}))
		now = now.Add(2 * leftOver)
		known := must[map[string]string](t)(s.rotations(t.Context(), []string{"new"}))
		if err := s.prune(t.Context(), known, []string{"kept"}); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]error{"old": sqldb.ErrNotFound, "kept": nil, "new": nil} {
			if _, err := s.rotation(t.Context(), name); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
	})
}

// With a closed database every token is refused with status 503.
func TestStorageFails(t *testing.T) {
	log, err := sqllog.Open(t.Context(), sqllog.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	a := newAPI(log.DB())
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if name, err := a.Check(context.Background(), a.token("shop", "x")); name != "" || !isStatus(err, 503) {
		t.Errorf("%q, %v", name, err)
	}
}

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	first := must[[]byte](t)(Secret(dir))
	if again := must[[]byte](t)(Secret(dir)); !slices.Equal(first, again) || len(first) != secretBytes {
		t.Errorf("%x, then %x", first, again)
	}
	path := filepath.Join(dir, secretName)
	if info := must[os.FileInfo](t)(os.Stat(path)); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if err := os.WriteFile(path, []byte("12"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Secret(dir); err == nil || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("a damaged secret: %v", err)
	}
}

// BenchmarkCheck measures what the check of a derived token costs each request.
func BenchmarkCheck(b *testing.B) {
	log, err := sqllog.Open(b.Context(), sqllog.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	a := newAPI(log.DB())
	rotation, err := a.store.renew(b.Context(), "shop", nil)
	if err != nil {
		b.Fatal(err)
	}
	token := a.token("shop", rotation)
	for b.Loop() {
		if name, err := a.Check(b.Context(), token); name != "shop" || err != nil {
			b.Fatal(name, err)
		}
	}
}

// BenchmarkBody measures what the search for unknown members costs each message.
func BenchmarkBody(b *testing.B) {
	body := []byte(`{"number":"5511999990001","contentText":"How can we help?","buttons":[{"id":"1"},{"id":"2"},{"id":"3"}]}`)
	reader := NewBody(sdk.OperationManifest{ID: "a@1", Input: []byte(sending)}, nil)
	for b.Loop() {
		if _, warnings := reader.Read(body); len(warnings) > 0 {
			b.Fatal(warnings)
		}
	}
}
