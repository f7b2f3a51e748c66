package sqllog

import (
	"fmt"
	"strings"
	"sync"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// rows inserts many rows with few statements. There is one kind of statement for each power of two,
// so that each is compiled once.
type rows struct {
	columns int
	of      func() [6 + 1]string // by the logarithm of the number of rows
}

func newRows(insert string, columns int, end string) *rows {
	return &rows{columns, sync.OnceValue(func() (of [6 + 1]string) {
		var values []string
		for n := range 1 << (len(of) - 1) {
			places := make([]string, columns)
			for i := range places {
				places[i] = fmt.Sprintf("$%d", n*columns+i+1)
			}
			values = append(values, "("+strings.Join(places, ", ")+")")
		}
		for i := range of {
			of[i] = insert + " " + strings.Join(values[:1<<i], ", ") + " " + end
		}
		return of
	})}
}

// put inserts n rows.
func (r *rows) put(t *sqldb.Tx, n int, row func(i int) []any) error {
	return r.each(t, n, row, func(*sqldb.Tx, int, int, int64) error { return nil })
}

// each inserts n rows, and calls told after each statement with how many of its rows it has added.
func (r *rows) each(t *sqldb.Tx, n int, row func(i int) []any, told func(t *sqldb.Tx, first, n int, added int64) error) error {
	of := r.of()
	for first, size := 0, len(of)-1; first < n; {
		if first+1<<size > n {
			size--
			continue
		}
		args := make([]any, 0, r.columns<<size)
		for i := range 1 << size {
			args = append(args, row(first+i)...)
		}
		added, err := t.Exec(of[size], args...)
		if err == nil {
			err = told(t, first, 1<<size, added)
		}
		if err != nil {
			return err
		}
		first += 1 << size
	}
	return nil
}
