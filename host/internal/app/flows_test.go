package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// hello is a flow that needs no node binary.
func hello(message string) []byte {
	return fmt.Appendf(nil, `
apiVersion: flow/v1
kind: Flow
metadata: {id: hello}
triggers: [{id: start, type: manual, to: say}]
nodes: [{id: say, type: log@1, with: {message: %s}}]
`, message)
}

// hostOn starts a host on a database, which runs until the end of the test.
func hostOn(t *testing.T, o sqllog.Options) *App {
	t.Helper()
	log, err := sqllog.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	dir := shortDir(t)
	t.Setenv("RUNTIME_DIRECTORY", dir)
	a, err := Open(Options{DataDir: dir, Log: log, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(a.Stop(context.Background()), log.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// version waits until a host starts runs of a version of the flow, or, with 0, until it starts
// none.
func version(t *testing.T, a *App, want int) {
	t.Helper()
	for range time.Tick(20 * time.Millisecond) { // go test bounds it
		id, err := a.Engine.Run(t.Context(), engine.Request{Flow: "hello"})
		if want == 0 && errors.Is(err, engine.ErrUnknownFlow) {
			return
		}
		if err == nil {
			if h, err := a.Engine.History(t.Context(), id); err == nil && h.Version == want {
				return
			}
		}
	}
}

// TestTwoHostsPublish: when one host publishes, restores or retires a version, another host on the
// same database follows, and so does a host that starts later.
func TestTwoHostsPublish(t *testing.T) {
	o := sqllog.Options{Postgres: sqldbtest.Postgres(t)}
	a, b := hostOn(t, o), hostOn(t, o)
	p, err := a.Publish(t.Context(), hello("one"))
	if err != nil || !p.New || p.Number != 1 {
		t.Fatalf("%+v %v", p, err)
	}
	version(t, a, 1)
	version(t, b, 1)
	if p, err = b.Publish(t.Context(), hello("two")); err != nil || p.Number != 2 {
		t.Fatalf("%+v %v", p, err)
	}
	version(t, a, 2)
	version(t, hostOn(t, o), 2)
	if p, err = a.Restore(t.Context(), "hello", 1); err != nil || !p.New || p.Number != 1 {
		t.Fatalf("%+v %v", p, err)
	}
	version(t, b, 1)
	if err := b.Retire(t.Context(), "hello"); err != nil {
		t.Fatal(err)
	}
	version(t, a, 0)
}

// TestUnfitVersion: a published version that no longer fits the nodes prevents nothing but its own
// runs.
func TestUnfitVersion(t *testing.T) {
	o := sqllog.Options{Dir: t.TempDir()}
	log, err := sqllog.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	gone := []byte(strings.ReplaceAll(strings.ReplaceAll(string(hello("x")), "log@1", "gone@1"), "id: hello", "id: unfit"))
	for _, v := range []engine.Version{{Digest: "d", Flow: "unfit", Source: gone}} {
		if err := log.PutFlow(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	a := hostOn(t, o)
	if _, err := a.Engine.Run(t.Context(), engine.Request{Flow: "unfit"}); !errors.Is(err, engine.ErrUnknownFlow) {
		t.Errorf("the unfit flow: %v", err)
	}
	if _, err := a.Publish(t.Context(), hello("one")); err != nil {
		t.Fatal(err)
	}
	version(t, a, 1)
}

// TestControlSocket: with a data directory whose path is long, the socket's path is still short.
func TestControlSocket(t *testing.T) {
	for _, dir := range []string{shortDir(t), shortDir(t) + "/" + strings.Repeat("long/", 30)} {
		t.Setenv("RUNTIME_DIRECTORY", shortDir(t))
		a, err := Open(Options{DataDir: dir, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time there is one already
			path, err := a.ControlSocket()
			if err != nil || len(path) > maxControlPath {
				t.Errorf("%s: %v", path, err)
			}
			if found, err := FindControl(dir); err != nil || found != path {
				t.Errorf("found %s (%v), want %s", found, err, path)
			}
		}
		if err := a.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// shortDir returns a directory for the test whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ta")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
