package bench

import (
	"os"
	"testing"
)

// BenchmarkAgainstBare prints the table of docs/performance.md.
func BenchmarkAgainstBare(b *testing.B) {
	l := newLab(b)
	t := newTable(os.Stdout, l.arms())
	b.Run("send", func(*testing.B) { l.sends(t, 1, 30, 50) })
	b.Run("click", func(*testing.B) { l.clicks(t, 30, 20) })
	b.Run("flood", func(*testing.B) { l.flood(t, 1, 2_000) })
	b.Run("sends", func(*testing.B) { l.sends(t, 50, 10, 5) })
}

// TestSmoke runs the same code in miniature.
func TestSmoke(t *testing.T) {
	l := newLab(t)
	out := newTable(t.Output(), l.arms())
	l.sends(out, 1, 2, 2)
	l.sends(out, 2, 2, 2)
	l.clicks(out, 2, 2)
	l.flood(out, 1, 40)
}
