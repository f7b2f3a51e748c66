package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// statement is an SQL statement that changes rows, with its arguments as the driver takes them.
type statement struct {
	query string
	args  []any

	key   string                        // of [Tx.Last]; "" if it has none
	again func(t *Tx, final bool) error // of [Tx.Revised]: runs when the rows are written, in place of this statement and the next more ones
	more  int
}

// statements collects the statements that fn of [DB.WriteAhead] runs, in place of a transaction.
type statements []statement

var errOnlyChanges = errors.New("a write that goes ahead has no rows to read")

// ExecContext records a statement and reports that it touched one row.
func (s *statements) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	one := statement{query: query, args: make([]any, len(args))}
	for i, arg := range args {
		v, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		one.args[i] = v
	}
	*s = append(*s, one)
	return driver.RowsAffected(1), nil
}

// QueryContext refuses.
func (*statements) QueryContext(context.Context, string, ...any) (*sql.Rows, error) {
	return nil, errOnlyChanges
}

// QueryRowContext refuses with a panic, which [safely] catches: a *sql.Row cannot be made to return
// the error.
func (*statements) QueryRowContext(context.Context, string, ...any) *sql.Row { panic(errOnlyChanges) }

// Commit and Rollback have nothing to do.
func (*statements) Commit() error   { return nil }
func (*statements) Rollback() error { return nil }

// run executes the statements, revised ones in their final form.
func (s statements) run(t *Tx) error {
	for len(s) > 0 {
		var err error
		one, done := s[0], 1
		switch {
		case one.again != nil:
			err = one.again(t, true)
			done += one.more
		case one.key != "":
			err = t.Last(one.key, one.query, one.args...)
		default:
			_, err = t.Exec(one.query, one.args...)
		}
		if err != nil {
			return err
		}
		s = s[done:]
	}
	return nil
}

// The kinds of arguments, see driver.Value. There is none for time.Time: columns hold [Millis].
const (
	argNull byte = iota
	argInt
	argFloat
	argText
	argBytes
	argFalse
	argTrue
)

// encode appends the statements to buf: their number, and for each its text, the number of its
// arguments, and the kind and value of each argument.
func (s statements) encode(buf []byte) ([]byte, error) {
	buf = binary.AppendUvarint(buf, uint64(len(s)))
	for _, one := range s {
		buf = appendText(buf, one.query)
		buf = binary.AppendUvarint(buf, uint64(len(one.args)))
		for _, arg := range one.args {
			switch v := arg.(type) {
			case nil:
				buf = append(buf, argNull)
			case int64:
				buf = binary.AppendVarint(append(buf, argInt), v)
			case float64:
				buf = binary.LittleEndian.AppendUint64(append(buf, argFloat), math.Float64bits(v))
			case string:
				buf = appendText(append(buf, argText), v)
			case []byte:
				if v == nil {
					buf = append(buf, argNull)
				} else {
					buf = appendText(append(buf, argBytes), v)
				}
			case bool:
				if v {
					buf = append(buf, argTrue)
				} else {
					buf = append(buf, argFalse)
				}
			default:
				return nil, fmt.Errorf("an argument of type %T", arg)
			}
		}
	}
	return buf, nil
}

func appendText[T string | []byte](buf []byte, v T) []byte {
	return append(binary.AppendUvarint(buf, uint64(len(v))), v...)
}

var errGarbled = errors.New("it is no list of statements")

// decode is the inverse of encode.
func decode(raw []byte) (statements, error) {
	r := reader{raw}
	var s statements
	for n := r.count(); n > 0; n-- {
		one := statement{query: string(r.text())}
		for m := r.count(); m > 0; m-- {
			one.args = append(one.args, r.arg())
		}
		s = append(s, one)
		if r.rest == nil {
			return nil, errGarbled
		}
	}
	if len(r.rest) > 0 || r.rest == nil {
		return nil, errGarbled
	}
	return s, nil
}

// reader takes values from the front of rest, and sets rest to nil when the data is malformed.
type reader struct{ rest []byte }

func (r *reader) count() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)) { // each item takes at least one byte
		r.rest = nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) text() []byte { return r.take(r.count()) }

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.rest = nil
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) arg() any {
	kind := r.take(1)
	if kind == nil {
		return nil
	}
	switch kind[0] {
	case argNull:
		return nil
	case argInt:
		v, size := binary.Varint(r.rest)
		if size <= 0 {
			r.rest = nil
			return nil
		}
		r.rest = r.rest[size:]
		return v
	case argFloat:
		if raw := r.take(8); raw != nil {
			return math.Float64frombits(binary.LittleEndian.Uint64(raw))
		}
		return nil
	case argText:
		return string(r.text())
	case argBytes:
		return append([]byte{}, r.text()...)
	case argFalse, argTrue:
		return kind[0] == argTrue
	}
	r.rest = nil
	return nil
}
