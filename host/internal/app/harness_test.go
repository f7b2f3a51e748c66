package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/catalog"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/process"
	"github.com/tapnode/tapnode/host/internal/sim"
	"github.com/tapnode/tapnode/internal/buildtest"
)

// nodesDir holds the real node and its lock, built once for the package's tests.
var nodesDir string

func TestMain(m *testing.M) { os.Exit(withNode(m)) }

func withNode(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tapnode-app-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	nodesDir = dir
	if err := buildNode(filepath.Join(dir, "whatsapp-send-buttons")); err != nil {
		fmt.Fprintln(os.Stderr, "build the node:", err)
		return 1
	}
	return m.Run()
}

func buildNode(path string) error {
	ctx := context.Background()
	if err := buildtest.Program(ctx, "plugin", path); err != nil {
		return err
	}
	entry, manifest, err := catalog.Lock(ctx, path)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	return errors.Join(entry.WriteDown(dir, manifest), catalog.Lockfile{Version: 1, Nodes: []catalog.Entry{entry}}.Save(filepath.Join(dir, catalog.LockName)))
}

// scaled returns how much of a long test to run: the number in the environment variable; without
// one, a tenth of n under the race detector, which is ten times slower, and with -short, otherwise
// n.
func scaled(n int, variable string) int {
	if set, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return set
	}
	if raceEnabled || testing.Short() {
		return n / 10
	}
	return n
}

// install copies the node binary into dir.
func install(t *testing.T, dir string) []Installed {
	t.Helper()
	installed, err := Installation(t.Context(), nodesDir, dir)
	if err != nil {
		t.Fatal(err)
	}
	return installed
}

// open returns an app on a simulated WhatsApp, with one flow deployed and not started. Its node may
// crash as often as it likes.
func open(t *testing.T, src string, change ...func(*Options)) (*App, *sim.Simulation) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	s, err := sim.Start(log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	dir, err := os.MkdirTemp("", "ta") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	opt := Options{
		Nodes: install(t, dir), DataDir: dir, Logger: log, AllowPrivate: true,
		Settings: map[string]json.RawMessage{"whatsapp-send-buttons": s.Settings()},
		Timing:   process.Timing{CrashBudget: 1 << 20, BackoffMin: time.Millisecond, BackoffMax: 2 * time.Millisecond},
	}
	for _, f := range change {
		f(&opt)
	}
	a, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	program, findings, err := flow.Load([]byte(src), a.Catalogue)
	if err != nil || program == nil {
		t.Fatal(err, findings)
	}
	if err := a.Deploy(t.Context(), program); err != nil {
		t.Fatal(err)
	}
	return a, s
}

func start(t *testing.T, a *App) {
	t.Helper()
	t.Cleanup(func() { stop(t, a) })
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func stop(t *testing.T, a *App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := a.Stop(ctx); err != nil {
		t.Error(err)
	}
}
