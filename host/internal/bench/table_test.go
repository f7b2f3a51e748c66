package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
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

// table collects measures for people.
type table struct{ rows []measure }

func (t *table) add(m measure) { t.rows = append(t.rows, m) }

func (t *table) print(w io.Writer, arms []*arm) error {
	out := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(out, "\nmedian (quartiles)\t%s\t%s\t%s\tAGAINST FULL\tAGAINST NORMAL\tGOAL\n", arms[0].name, arms[1].name, arms[2].name)
	for _, m := range t.rows {
		fmt.Fprintf(out, "%s", m.name)
		for _, v := range m.values {
			fmt.Fprintf(out, "\t%s", statOf(v).text(m.decimals))
		}
		for _, v := range m.values[1:] {
			fmt.Fprintf(out, "\t%s", m.against(v))
		}
		fmt.Fprintf(out, "\t%s\n", m.goal)
	}
	return out.Flush()
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
