package app

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // reads the dumps

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/host/internal/sim"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
	"github.com/tapnode/tapnode/plugin/wasim"
)

// TestUpgrade starts this version on the data that an earlier one left behind when it was killed:
// see testdata/upgrade. No click is lost, a wait is answered at the right port, and everything that
// was due happens once.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		upgrade(t, "", "")
	})
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		upgrade(t, sqldbtest.Postgres(t), sqldbtest.Postgres(t))
	})
}

func upgrade(t *testing.T, runs, node string) {
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
	dir, err := os.MkdirTemp("", "ta")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	store := filepath.Join(dir, "nodes", "whatsapp-send-buttons", "store")
	if err := os.MkdirAll(store, 0o700); err != nil {
		t.Fatal(err)
	}
	restore(t, "node", filepath.Join(store, "tapnode.db"), node).Close() //nolint:errcheck // it was only written
	db := restore(t, "runs", filepath.Join(dir, sqllog.FileName), runs)
	left := leftBehind(t, db)

	settings := s.Settings()
	if node != "" {
		settings = json.RawMessage(strings.Replace(string(settings), "{", fmt.Sprintf(`{"store":{"dsn":%q},`, node), 1))
	}
	opt := Options{Nodes: install(t, dir), DataDir: dir, Logger: log, AllowPrivate: true, Settings: map[string]json.RawMessage{"whatsapp-send-buttons": settings}}
	pairAgain(t, s, opt)
	kept, err := sqllog.Open(t.Context(), sqllog.Options{Dir: dir, Postgres: runs, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	kept.Start()
	opt.Log = kept
	a, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	phone, err := s.Server().NewPhone(ctx, ana)
	if err != nil {
		t.Fatal(err)
	}
	start(t, a)

	shop := s.Server().Account(s.Numbers()["demo"]).LID()
	menu := wasim.Message{ID: left["waits"].message, Chat: shop, From: shop, Text: "menu waits", Buttons: []wasim.Button{{Type: wasim.ButtonReply, ID: "no", DisplayText: "No"}}}
	if _, err := phone.Click(ctx, menu, "no", wasim.ShapeInteractive); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"declined waits": 1, "agreed tapped": 1, "silent soon": 1, "gave up again": 1, "not there flight": 1}
	for text := range want {
		if _, err := phone.Wait(ctx, func(m wasim.Message) bool { return m.Text == text }); err != nil {
			t.Fatalf("%q never came: %v", text, err)
		}
	}
	settled := map[string]string{"waits": "reply:no", "tapped": "reply:yes", "soon": "timeout", "over": "reply:yes", "again": "", "flight": ""}
	for order, port := range settled {
		if got := ports(ctx, t, a.Engine, left[order].run); got != port {
			t.Errorf("%s went on at %q, want %q", order, got, port)
		}
	}
	got := map[string]int{}
	for _, m := range phone.Inbox() {
		got[m.Text]++
	}
	if !maps.Equal(got, want) {
		t.Errorf("the phone shows %v, want %v", got, want)
	}
}

// ports waits until a run is over and returns the ports by which it left its waits.
func ports(ctx context.Context, t *testing.T, e *engine.Engine, id string) string {
	t.Helper()
	var ports []string
	for step, err := range e.Watch(ctx, id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		switch step.Kind {
		case run.TraceWaitAnswered, run.TraceWaitTimeout, run.TraceWaitRestarted, run.TraceWaitRefused:
			ports = append(ports, step.Port)
		case run.TraceRunFinished:
			return strings.Join(ports, " ")
		}
	}
	return "no end"
}

// dumpedAt is when the dumps were made. They are read as if that had been a minute and a half ago,
// so that nothing in them is too old, and everything that was due a minute later is due now.
var dumpedAt = map[string]time.Time{
	"sqlite":   time.Date(2026, 11, 26, 11, 36, 20, 0, time.UTC),
	"postgres": time.Date(2026, 11, 26, 11, 36, 47, 0, time.UTC),
}

// restore reads a dump into an empty database.
func restore(t *testing.T, name, file, postgres string) *sql.DB {
	t.Helper()
	driver, dsn, dialect := "sqlite", file, "sqlite"
	if postgres != "" {
		driver, dsn, dialect = "pgx", postgres, "postgres"
	}
	dump, err := os.ReadFile(filepath.Join("testdata", "upgrade", name+"."+dialect+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), shift(string(dump), time.Since(dumpedAt[dialect])-90*time.Second)); err != nil {
		t.Fatal(err)
	}
	return db
}

var (
	blob    = regexp.MustCompile(`(X'|'\\x)([0-9A-Fa-f]+)'`)
	written = regexp.MustCompile(`\b202\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	counted = regexp.MustCompile(`\b179\d{7}(\d{3})?(\d{3})?\b`) // seconds, milliseconds, microseconds
)

// shift moves every time in a text, also in blobs of JSON.
func shift(text string, by time.Duration) string {
	text = blob.ReplaceAllStringFunc(text, func(b string) string {
		parts := blob.FindStringSubmatch(b)
		raw, err := hex.DecodeString(parts[2])
		if err != nil || !json.Valid(raw) {
			return b
		}
		return parts[1] + hex.EncodeToString([]byte(shift(string(raw), by))) + "'"
	})
	text = written.ReplaceAllStringFunc(text, func(s string) string {
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return s
		}
		return at.Add(by).Format(time.RFC3339Nano)
	})
	return counted.ReplaceAllStringFunc(text, func(s string) string {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return s
		}
		unit := map[int]time.Duration{10: time.Second, 13: time.Millisecond, 16: time.Microsecond}[len(s)]
		return strconv.FormatInt(n+int64(by/unit), 10)
	})
}

// leftRun is a run of the dump, and the menu that it sent.
type leftRun struct{ run, message string }

// leftBehind returns the runs in the dump by their order, and closes the database.
func leftBehind(t *testing.T, db *sql.DB) map[string]leftRun {
	t.Helper()
	defer db.Close() //nolint:errcheck // it was only read
	rows, err := db.QueryContext(t.Context(), `SELECT id, state FROM engine_runs`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // read to the end
	out := map[string]leftRun{}
	for rows.Next() {
		var id string
		var raw []byte
		var state struct {
			Vars    struct{ Order string }
			Outputs struct{ Menu struct{ MessageID string } }
		}
		if err := errors.Join(rows.Scan(&id, &raw), json.Unmarshal(raw, &state)); err != nil {
			t.Fatal(err)
		}
		out[state.Vars.Order] = leftRun{id, state.Outputs.Menu.MessageID}
	}
	if err := rows.Err(); err != nil || len(out) != 6 {
		t.Fatalf("the dump has %d runs: %v", len(out), err)
	}
	return out
}

// deaf is a Log on which no answer can be delivered.
type deaf struct{ engine.Log }

func (deaf) Wait(context.Context, string) (engine.Wait, error) {
	return engine.Wait{}, errors.New("not now")
}

// pairAgain pairs the instance with the same number, because this simulation does not know the
// instance in the dump. It takes no event.
func pairAgain(t *testing.T, s *sim.Simulation, opt Options) {
	t.Helper()
	opt.Log = deaf{engine.NewMemory(0)}
	a, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, a)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Connect(t.Context(), a.Execute, "demo"); err != nil {
		t.Fatal(err)
	}
}
