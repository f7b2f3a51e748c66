package bench

import (
	"os"
	"testing"
)

// BenchmarkAgainstBare prints the table of docs/performance.md.
func BenchmarkAgainstBare(b *testing.B) {
	l := newLab(b)
	var t table
	b.Run("send1", func(*testing.B) { l.sends(&t, 1, 30, 60) })
	b.Run("click", func(*testing.B) { l.clicks(&t, 20, 30) })
	b.Run("send50", func(*testing.B) { l.sends(&t, 50, 15, 10) })
	b.Run("flood", func(*testing.B) { l.flood(&t, 2, 10_000) })
	if err := t.print(os.Stdout, l.arms()); err != nil {
		b.Fatal(err)
	}
}

// TestSmoke runs the same code in miniature.
func TestSmoke(t *testing.T) {
	l := newLab(t)
	var out table
	l.sends(&out, 1, 2, 2)
	l.sends(&out, 2, 2, 2)
	l.clicks(&out, 2, 2)
	l.flood(&out, 1, 40)
	if err := out.print(t.Output(), l.arms()); err != nil {
		t.Fatal(err)
	}
}
