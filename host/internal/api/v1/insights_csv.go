package v1

import (
	"strconv"
	"strings"
	"time"
)

// table is one of the tables, with a line of names.
func (f *insights) table(name string) [][]string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	part := func(r float64) string { return strconv.FormatFloat(r, 'f', 4, 64) }
	at := func(t time.Time) string { return t.Format(time.RFC3339) }
	var rows [][]string
	switch name {
	case "menus":
		rows = append(rows, []string{"flow", "node", "sent", "answer", "count", "rate", "medianSeconds"})
		for _, m := range f.Menus {
			middle := ""
			if m.Took.Median != nil {
				middle = strconv.FormatFloat(*m.Took.Median, 'f', 1, 64)
			}
			row := func(answer string, n int64) {
				rows = append(rows, []string{m.Flow, m.Node, number(m.Sent), cell(answer), number(n), part(ratio(n, m.Sent)), middle})
			}
			for _, b := range m.Buttons {
				row(b.Port, b.Taps)
			}
			row("wrote instead", m.Wrote)
			row("no answer", m.NoAnswer)
		}
	case "failures":
		rows = append(rows, []string{"operation", "code", "count"})
		for _, x := range f.Failures {
			rows = append(rows, []string{cell(x.Operation), cell(x.Code), number(x.N)})
		}
	case "versions":
		rows = append(rows, []string{"at", "flow", "version"})
		for _, v := range f.Versions {
			rows = append(rows, []string{at(v.At), v.Flow, strconv.Itoa(v.Version)})
		}
	default:
		rows = append(rows, []string{"at", "sent", "clicks", "wrote", "silent", "failed"})
		for _, p := range f.Series {
			rows = append(rows, []string{at(p.At), number(p.Sent), number(p.Clicks), number(p.Wrote), number(p.Silent), number(p.Failed)})
		}
	}
	return rows
}

// cell keeps a spreadsheet from reading a name as a formula.
func cell(text string) string {
	if strings.HasPrefix(text, "=") || strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-") || strings.HasPrefix(text, "@") {
		return "'" + text
	}
	return text
}
