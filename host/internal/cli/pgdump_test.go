package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// TestPostgresDump runs the commands of docs/backup.md: a run that was dumped while its database
// was in use is in the new database, with its history, and continues there.
func TestPostgresDump(t *testing.T) {
	t.Parallel()
	old, fresh := sqldbtest.Postgres(t), sqldbtest.Postgres(t)
	bin, err := exec.CommandContext(t.Context(), "../../../.ci/postgres-bin").Output()
	if err != nil {
		t.Skip("pg_dump is not here")
	}
	src, err := os.ReadFile("../../../docs/backup.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile("(?s)```sh\n(.*?pg_dump.*?)```").FindSubmatch(src)
	if commands == nil {
		t.Fatal("the page has no commands")
	}
	open := func(dsn string) *sqllog.Log {
		l, err := sqllog.Open(t.Context(), sqllog.Options{Postgres: dsn})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	before := open(old)
	if _, err := before.Append(t.Context(), engine.Batch{Run: "r", Digest: "d", State: []byte(`{"a":1}`), Steps: []engine.Step{{Run: "r", Flow: "f"}}}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", string(commands[1]))
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "DATABASE="+old, "NEW_DATABASE="+fresh, "PATH="+strings.TrimSpace(string(bin))+string(filepath.ListSeparator)+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	after := open(fresh)
	rec, err := after.Load(t.Context(), "r")
	if err != nil || string(rec.State) != `{"a":1}` || rec.Revision != 1 {
		t.Fatalf("%+v %v", rec, err)
	}
	was, err := after.Newest(t.Context())
	if err != nil || was == 0 {
		t.Fatalf("the newest step is %d: %v", was, err)
	}
	if _, err := after.Append(t.Context(), engine.Batch{Run: "r", Digest: "d", Expect: 1, State: []byte(`{"a":2}`), Steps: []engine.Step{{Run: "r", Flow: "f"}}}); err != nil {
		t.Fatal(err)
	}
	steps, err := after.Steps(t.Context(), "r", 0)
	if err != nil || len(steps) != 2 || steps[1].Sequence <= was {
		t.Errorf("%+v %v", steps, err)
	}
}
