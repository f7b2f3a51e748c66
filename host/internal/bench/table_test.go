package bench

import (
	"fmt"
	"io"
)

// measure is a figure of all three arms, by arm and round: the host's is combined with
// each bare one's of the same round.
type measure struct {
	name     string
	values   [][]float64
	combine  func(host, bare float64) float64
	decimals int
	goal     string
}

// table writes each measure as soon as it is known.
type table struct{ w io.Writer }

const line = "%-34s  %-22s  %-22s  %-22s  %-20s  %-20s  %s\n"

func newTable(w io.Writer, arms []*arm) table {
	fmt.Fprintf(w, "\n"+line, "median (quartiles)", arms[0].name, arms[1].name, arms[2].name, "against the 2nd", "against the 3rd", "goal")
	return table{w}
}

func (t table) add(m measure) {
	cells := []any{m.name}
	for _, v := range m.values {
		cells = append(cells, statOf(v).text(m.decimals))
	}
	for _, v := range m.values[1:] {
		cells = append(cells, m.against(v))
	}
	fmt.Fprintf(t.w, line, append(cells, m.goal)...)
}

// against is the host's figure beside that of a bare arm.
func (m measure) against(bare []float64) string {
	return statOf(pairwise(m.values[0], bare, m.combine)).text(2)
}

func title(what string, n int) string {
	if n == 1 {
		return what + ", 1 instance"
	}
	return fmt.Sprintf("%s, %d instances", what, n)
}
