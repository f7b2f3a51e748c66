package bench

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// rest is how long processes are left idle before their memory is read.
const rest = 3 * time.Second

// BenchmarkAgainstBare prints the table of docs/performance.md.
func BenchmarkAgainstBare(b *testing.B) {
	l := newLab(b)
	t := newTable(os.Stdout, l.arms())
	b.Run("send", func(*testing.B) { l.sends(t, 1, 30, 50) })
	b.Run("strangers", func(*testing.B) { l.strangers(t, 3, 1000) })
	b.Run("pictures", func(*testing.B) { l.pictures(os.Stdout, 3, 1000) })
	b.Run("click", func(*testing.B) { l.clicks(t, 30, 20) })
	b.Run("flood", func(*testing.B) { l.flood(t, 1, 10_000) })
	b.Run("sends", func(*testing.B) { l.sends(t, 50, 10, 5) })
	b.Run("memory", func(b *testing.B) { l.memory(t, instances(b), 0, rest) })
	b.Run("used", func(*testing.B) { l.memory(t, 200, 450, rest) })
}

// BenchmarkAgainstBareOnPostgres is the same on a Postgres server, which make bench runs without fsync.
func BenchmarkAgainstBareOnPostgres(b *testing.B) {
	l := newPostgresLab(b)
	t := newTable(os.Stdout, l.arms())
	b.Run("send", func(*testing.B) { l.sends(t, 1, 30, 50) })
	b.Run("strangers", func(*testing.B) { l.strangers(t, 3, 300) })
	b.Run("click", func(*testing.B) { l.clicks(t, 30, 20) })
	b.Run("flood", func(*testing.B) { l.flood(t, 1, 5_000) })
	b.Run("sends", func(*testing.B) { l.sends(t, 50, 10, 5) })
}

// instances is how many instances the memory is measured with: 200, or what the environment says.
func instances(b *testing.B) int {
	raw := os.Getenv("TAPNODE_BENCH_INSTANCES")
	if raw == "" {
		return 200
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < 1 || n > 1000 {
		b.Fatalf("TAPNODE_BENCH_INSTANCES is %q: want a number from 1 to 1000", raw)
	}
	return n
}

// TestSmoke runs the same code in miniature.
func TestSmoke(t *testing.T) {
	l := newLab(t)
	out := newTable(t.Output(), l.arms())
	l.sends(out, 1, 2, 2)
	l.sends(out, 2, 2, 2)
	l.strangers(out, 2, 4)
	l.pictures(t.Output(), 2, 4)
	l.clicks(out, 2, 2)
	l.flood(out, 1, 40)
	l.memory(out, 3, 4, 0)
}
