package bench

import (
	"fmt"
	"io"
)

// measure is a figure of all arms, by arm and round. The host's value is combined with each bare
// arm's value of the same round.
type measure struct {
	name     string
	values   [][]float64
	combine  func(host, bare float64) float64
	decimals int
	goal     string
}

// table prints each measure as soon as it is known.
type table struct{ w io.Writer }

func newTable(w io.Writer, arms []*arm) table {
	cells := []string{"median (quartiles)"}
	for _, a := range arms {
		cells = append(cells, a.name)
	}
	for i := range arms[1:] {
		cells = append(cells, fmt.Sprintf("against arm %d", i+2))
	}
	fmt.Fprintln(w)
	t := table{w}
	t.line(append(cells, "goal"))
	return t
}

// line prints a row in columns.
func (t table) line(cells []string) {
	fmt.Fprintf(t.w, "%-34s", cells[0])
	for _, c := range cells[1:] {
		fmt.Fprintf(t.w, "  %-22s", c)
	}
	fmt.Fprintln(t.w)
}

func (t table) add(m measure) {
	cells := []string{m.name}
	for _, v := range m.values {
		cells = append(cells, statOf(v).text(m.decimals))
	}
	for _, v := range m.values[1:] {
		cells = append(cells, m.against(v))
	}
	t.line(append(cells, m.goal))
}

// against compares the host's figure with that of a bare arm.
func (m measure) against(bare []float64) string {
	return statOf(pairwise(m.values[0], bare, m.combine)).text(2)
}

func title(what string, n int) string {
	if n == 1 {
		return what + ", 1 instance"
	}
	return fmt.Sprintf("%s, %d instances", what, n)
}
