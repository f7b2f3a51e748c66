package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// The errors that callers distinguish with errors.Is.
var (
	ErrNotFound error = plain("not found")
	ErrExists   error = plain("already exists")
	ErrLimit    error = plain("limit reached")
	ErrDiskFull error = plain("the database's disk is full: free space and try again")
	ErrBusy     error = plain("the database is locked by another process: stop it or try again")
	ErrClosed   error = plain("the store is closed")
)

// plain is an error of this package. Its text names no file, database, user or host, so [Reason]
// repeats it.
type plain string

// Error returns the text.
func (p plain) Error() string { return string(p) }

// Wrap returns an [Error] that names what was being done, and maps the drivers' errors to those of
// this package. nil stays nil.
func Wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	if kind := kindOf(err); kind != nil {
		err = fmt.Errorf("%w (%w)", kind, err)
	}
	return &Error{what, err}
}

// notFound maps sql.ErrNoRows to ErrNotFound.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// ended maps the error of a read on a closed database to ErrClosed; database/sql does not export
// its own.
func ended(err error) error {
	if err != nil && err.Error() == "sql: database is closed" {
		return ErrClosed
	}
	return err
}

func kindOf(err error) error {
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		switch lite.Code() & 0xff { // the primary result code
		case sqlite3.SQLITE_FULL:
			return ErrDiskFull
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return ErrBusy
		}
		return nil
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code {
		case "53100": // disk_full
			return ErrDiskFull
		case "55P03", "40P01", "40001": // lock_not_available, deadlock_detected, serialization_failure
			return ErrBusy
		case "23505": // unique_violation
			return ErrExists
		}
	}
	return nil
}

// crossed reports whether the database has undone a transaction because of a concurrent one.
func crossed(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "40P01" || pg.Code == "40001")
}

// infrastructure reports whether err is about the database rather than the result of one statement,
// so that running the writes again cannot help.
func infrastructure(err error) bool {
	kind := kindOf(err)
	return kind != nil && !errors.Is(kind, ErrExists) || errors.Is(err, ErrBusy) || errors.Is(err, context.DeadlineExceeded)
}
