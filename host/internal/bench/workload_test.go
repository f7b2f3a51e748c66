package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// BenchmarkClickWorkload prints the first table of docs/performance-runs.md: the click workload
// over HTTP, each run durable with its history.
func BenchmarkClickWorkload(b *testing.B) {
	programs := []program{serve(b, "tapnode, SQLite", "")}
	if sqldbtest.Server() != "" {
		programs = append(programs, serve(b, "tapnode, Postgres", sqldbtest.Postgres(b)))
	}
	if dir := os.Getenv(nodeREDEnv); dir != "" {
		programs = append(programs, nodeRED(b, dir))
	}
	for _, connections := range []int{1, 64} {
		b.Run(fmt.Sprint(connections), func(b *testing.B) {
			workload(b, os.Stdout, programs, connections, 3, 5*time.Second)
		})
	}
}

// TestWorkload runs the same code in miniature.
func TestWorkload(t *testing.T) {
	workload(t, t.Output(), []program{serve(t, "tapnode", "")}, 2, 1, 200*time.Millisecond)
}

// answered is what a call cost a program, by round: the median and the 99th percentile of its time,
// and its processor time.
type answered struct{ middle, high, cpu []float64 }

// workload lets the programs and the raw disk take turns, and prints a row for each.
func workload(tb testing.TB, w io.Writer, programs []program, connections, rounds int, long time.Duration) {
	tb.Helper()
	ctx := context.Background()
	got := make([]answered, len(programs))
	for _, p := range programs { // warm up
		_, err := load(ctx, p.address, connections, time.Now().Add(long))
		fatal(tb, err)
	}
	rates, err := turns(rounds, len(programs)+1, func(i int) (float64, error) {
		if i == len(programs) {
			return rawRate(tb.TempDir(), long/5)
		}
		before, err := programs[i].cpu()
		if err != nil {
			return 0, err
		}
		b, err := load(ctx, programs[i].address, connections, time.Now().Add(long))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", programs[i].name, err)
		}
		after, err := programs[i].cpu()
		g := &got[i]
		g.middle, g.high = append(g.middle, quantile(b.ms, 0.5)), append(g.high, quantile(b.ms, 0.99))
		g.cpu = append(g.cpu, (after-before)/float64(b.calls))
		return b.perSecond, err
	})
	fatal(tb, err)
	const row = "%-28s  %-26s  %-18s  %-20s  %-16s  %-20s  %s\n"
	fmt.Fprintf(w, "\n"+row, fmt.Sprintf("clicks, %d connections", connections), "runs/s", "p50 ms", "p99 ms", "against fsync", "CPU ms per run", "fsyncs per run")
	raw := rates[len(programs)]
	for i, p := range programs {
		fmt.Fprintf(w, row, p.name, statOf(rates[i]).text(0), statOf(got[i].middle).text(2), statOf(got[i].high).text(1),
			statOf(pairwise(rates[i], raw, quotient)).text(2), statOf(got[i].cpu).text(3), syncsPerRun(tb, p, connections))
	}
	fmt.Fprintf(w, row, "write+fsync of 8 KiB", statOf(raw).text(0), "", "", "1", "", "1")
}

// rawRate returns how many times per second 8 KiB, about what a commit writes, can be overwritten and
// synced.
func rawRate(dir string, long time.Duration) (float64, error) {
	f, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	block := make([]byte, 8<<10)
	const blocks = 500 // 4 MiB, the size at which SQLite starts its log anew
	n := 0
	var began time.Time
	for round := 0; began.IsZero() || time.Since(began) < long; round++ {
		if round == 1 { // the file has its full length now
			began = time.Now()
		}
		for i := range int64(blocks) {
			if _, err := f.WriteAt(block, i*int64(len(block))); err != nil {
				return 0, err
			}
			if round == 0 && i < blocks-1 {
				continue
			}
			if err := syscall.Fdatasync(int(f.Fd())); err != nil {
				return 0, err
			}
			if round > 0 {
				n++
			}
			if round > 0 && time.Since(began) >= long {
				break
			}
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// syncsPerRun runs the workload for a moment under strace and counts the syncs. It returns "–" without
// strace, or if the database is in another process.
func syncsPerRun(tb testing.TB, p program, connections int) string {
	tb.Helper()
	if _, err := exec.LookPath("strace"); err != nil || p.database != "" || !strings.HasPrefix(p.name, "tapnode") {
		return "–"
	}
	counts := filepath.Join(tb.TempDir(), "counts")
	traced := serve(tb, "tapnode below strace", "", "strace", "-D", "-f", "--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-o", counts)
	const few = 200 * time.Millisecond
	_, err := load(context.Background(), traced.address, connections, time.Now().Add(few))
	fatal(tb, err)
	before, err := lines(counts)
	fatal(tb, err)
	b, err := load(context.Background(), traced.address, connections, time.Now().Add(10*few))
	fatal(tb, err)
	after, err := lines(counts)
	fatal(tb, err)
	return fmt.Sprintf("%.2f", (after-before)/float64(b.calls))
}

// lines counts the calls in strace's output.
func lines(path string) (float64, error) {
	raw, err := os.ReadFile(path)
	return float64(strings.Count(string(raw), "sync(")), err
}
