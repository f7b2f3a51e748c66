package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
)

// waitingEnv makes the test binary a process with an engine. Its value is a waiter as JSON.
const waitingEnv = "TAPNODE_BENCH_WAITING_IN"

// waiter says where a process finds its runs, and gives the correlation of a run that waits.
type waiter struct{ Dir, Postgres, Correlation string }

// waited is what that process measured.
type waited struct {
	ReadyMs float64 // from opening the database until the engine works
	FoundMs float64 // from the first click until its run is found
	ClickMs float64 // from there until the next node's call
	RSS     float64 // resident memory after that, in KiB
	Idle    float64 // processor time while idle, in percent of a core
	Answer  string  // the key of the call that the click led to
}

// BenchmarkWaiting prints what waiting runs cost. TAPNODE_BENCH_WAITING says how many there are.
func BenchmarkWaiting(b *testing.B) {
	n := 100_000
	if raw := os.Getenv("TAPNODE_BENCH_WAITING"); raw != "" {
		var err error
		n, err = strconv.Atoi(raw)
		fatal(b, err)
	}
	var empty []sqllog.Options
	each(b, func(_ string, o sqllog.Options) { empty = append(empty, o) })
	each(b, func(name string, o sqllog.Options) {
		waiting(b, os.Stdout, name, o, empty[0], n)
		empty = empty[1:]
	})
}

// TestWaiting runs the same code with fewer runs: all of them wait, and after a restart the click
// finds its run.
func TestWaiting(t *testing.T) {
	asked, answered := waiting(t, t.Output(), "SQLite", sqllog.Options{Dir: t.TempDir()}, sqllog.Options{Dir: t.TempDir()}, 2000)
	if !strings.HasPrefix(answered, "run:"+runIn(asked)+":answer:") {
		t.Errorf("the click on %s led to the call %s", asked, answered)
	}
}

// waiting fills a database with runs, and compares a process on it with a process on an empty
// database.
func waiting(tb testing.TB, w io.Writer, name string, full, empty sqllog.Options, n int) (asked, answered string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), labTimeout)
	defer cancel()
	fill := func(o sqllog.Options, n int) string {
		r, err := openRig(ctx, o)
		fatal(tb, err)
		asked, err := r.ask(ctx, n)
		fatal(tb, err)
		counts, err := r.log.Counts(ctx)
		fatal(tb, err)
		fatal(tb, r.close())
		if counts.Runs != int64(n) || counts.Waits != int64(n) || len(asked) != n {
			tb.Fatalf("%d runs of which %d wait, %d were asked; want %d", counts.Runs, counts.Waits, len(asked), n)
		}
		return asked[n/2]
	}
	alone := await(ctx, tb, waiter{empty.Dir, empty.Postgres, fill(empty, 1)})
	began := time.Now()
	correlation := fill(full, n)
	filled := time.Since(began)
	got := await(ctx, tb, waiter{full.Dir, full.Postgres, correlation})
	fmt.Fprintf(w, "\n%d waiting runs, %s (begun at %.0f/s)      with one       with all       goal\n", n, name, float64(n)/filled.Seconds())
	for _, row := range []struct {
		what      string
		one, many float64
		goal      string
	}{
		{"RSS, MiB", alone.RSS / 1024, got.RSS / 1024, "≤ +50"},
		{"engine ready after a restart, ms", alone.ReadyMs, got.ReadyMs, "≤ 300"},
		{"first click found, ms", alone.FoundMs, got.FoundMs, "≤ 5"},
		{"and to the next call, ms", alone.ClickMs, got.ClickMs, ""},
		{"idle, % of a core", alone.Idle, got.Idle, "≤ 2"},
	} {
		fmt.Fprintf(w, "%-34s  %10.2f  %10.2f  %s\n", row.what, row.one, row.many, row.goal)
	}
	return correlation, got.Answer
}

// await runs this test binary as a process with an engine.
func await(ctx context.Context, tb testing.TB, in waiter) (out waited) {
	tb.Helper()
	raw, err := json.Marshal(in)
	fatal(tb, err)
	cmd := exec.CommandContext(ctx, os.Args[0]) //nolint:gosec // this very test
	cmd.Env = append(os.Environ(), waitingEnv+"="+string(raw))
	cmd.Stderr = os.Stderr
	said, err := cmd.Output()
	fatal(tb, err)
	fatal(tb, json.Unmarshal(said, &out))
	return out
}

// waitingMain is the main function of that process.
func waitingMain(raw string) error {
	ctx, cancel := context.WithTimeout(context.Background(), labTimeout)
	defer cancel()
	var in waiter
	if err := json.Unmarshal([]byte(raw), &in); err != nil {
		return err
	}
	began := time.Now()
	r, err := openRig(ctx, sqllog.Options{Dir: in.Dir, Postgres: in.Postgres})
	if err != nil {
		return err
	}
	out := waited{ReadyMs: ms(time.Since(began))}
	tapped := time.Now()
	if _, err := r.log.Wait(ctx, in.Correlation); err != nil {
		return err
	}
	out.FoundMs = ms(time.Since(tapped))
	if _, err := r.Deliver(ctx, click("first", in.Correlation)); err != nil {
		return err
	}
	answer, err := r.next(ctx)
	if err != nil {
		return err
	}
	out.ClickMs, out.Answer = ms(time.Since(tapped))-out.FoundMs, answer.Key
	if err := r.drained(ctx); err != nil {
		return err
	}
	const quiet = 3 * time.Second
	me := program{pid: os.Getpid()}
	before, err := me.cpu()
	if err != nil {
		return err
	}
	time.Sleep(quiet)
	after, err := me.cpu()
	if err != nil {
		return err
	}
	out.Idle = (after - before) / ms(quiet) * 100
	if out.RSS, err = memoryOf("self"); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		return err
	}
	return r.close()
}
