package sqldb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Error is a failure of the database, with what was being done. Its text names files,
// databases, users and addresses and is for the log; [Reason] is for everybody.
type Error struct {
	What string
	Err  error // the driver's error, with one of this package's where one applies
}

// Error returns what was being done and the driver's message.
func (e *Error) Error() string { return e.What + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Failed reports whether err is a failure of the database, and not a result such as [ErrNotFound],
// a canceled context, or an unrelated error.
func Failed(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrExists) || errors.Is(err, ErrLimit) {
		return false
	}
	_, ours := errors.AsType[*Error](err)
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	_, postgres := errors.AsType[*pgconn.PgError](err)
	_, lite := errors.AsType[*sqlite.Error](err)
	return ours || connecting || postgres || lite
}

// Reason explains why a database failed and what to do, as a clause without a full stop. It repeats
// nothing of the error: no name of a file, a database, a user or a host.
func Reason(err error) string {
	if known, ok := errors.AsType[plain](err); ok {
		return known.Error()
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresReason(pg.Code)
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return sqliteReason(lite.Code() & 0xff)
	}
	return networkReason(err)
}

const onlyReads = "Postgres only reads, as a standby does: use the primary"

const other = "it cannot be used; the log has the reason"

func postgresReason(code string) string {
	switch code {
	case "28P01", "28000":
		return "Postgres refuses the user or the password: correct the connection string"
	case "3D000":
		return "Postgres has no database of that name: create it or correct the connection string"
	case "42501":
		return "the user may not do this in the database: grant it the rights, or let it own the database"
	case "53300":
		return "Postgres has no free connection: raise max_connections or stop other clients"
	case "57P01", "57P02", "57P03":
		return "Postgres is starting or stopping: try again"
	case "25006":
		return onlyReads
	}
	return other
}

func sqliteReason(code int) string {
	switch code {
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return "the file may not be written: correct its owner and mode"
	case sqlite3.SQLITE_CANTOPEN:
		return "the file cannot be opened: check the directory, its owner and mode"
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return "the file is damaged or no database: restore a backup"
	case sqlite3.SQLITE_IOERR:
		return "the disk failed to read or write: check it"
	}
	return other
}

func networkReason(err error) string {
	var (
		name      *net.DNSError
		timeout   net.Error
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &name):
		return "the host name of the database cannot be resolved: check DNS and the connection string"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at the address of the database: start it or correct the connection string"
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &record), err != nil && strings.Contains(err.Error(), "server refused TLS"):
		return "the database does not offer TLS as asked for: check sslmode and its certificate"
	case err != nil && strings.Contains(err.Error(), "read only connection"): // the words of pgx
		return onlyReads
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "the database does not answer: check it and the network"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection to the database broke: try again"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return "the directory may not be written: correct its owner and mode"
	}
	return other
}
