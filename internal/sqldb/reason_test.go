package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestReason: a reason says what is wrong and what to do, without naming anything.
func TestReason(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s3cret")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, fileName), []byte(strings.Repeat("no database ", 100)), 0o600)); err != nil {
		t.Fatal(err)
	}
	open := func(o Options) error {
		o.File = fileName
		db, err := Open(t.Context(), o)
		if err == nil {
			err = errors.Join(errors.New("it opened"), db.Close())
		}
		return err
	}
	refused := func(code string) error {
		return Wrap("reach Postgres", fmt.Errorf("s3cret: %w", &pgconn.PgError{Code: code, Message: "s3cret"}))
	}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"no database", open(Options{Dir: dir}), "restore a backup"},
		{"nothing listens", open(Options{Postgres: "postgres://s3cret:s3cret@127.0.0.1:1/s3cret?sslmode=disable"}), "nothing listens"},
		{"no such host", open(Options{Postgres: "postgres://s3cret@s3cret.invalid/s3cret"}), "cannot be resolved"},
		{"a broken string", open(Options{Postgres: "postgres://s3cret@%zz"}), "connection string"},
		{"the password", refused("28P01"), "password"},
		{"the database", refused("3D000"), "create it"},
		{"the rights", refused("42501"), "rights"},
		{"too many", refused("53300"), "max_connections"},
		{"the end", refused("57P01"), "try again"},
		{"a standby", refused("25006"), "primary"},
		{"a full disk", refused("53100"), "free space"},
		{"a lock", refused("55P03"), "locked"},
		{"anything else", refused("XX000"), "the log"},
		{"no answer", Wrap("read s3cret", context.DeadlineExceeded), "does not answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Reason(c.err); !strings.Contains(got, c.want) || strings.Contains(got, "s3cret") {
				t.Errorf("Reason(%v) = %q, want %q", c.err, got, c.want)
			}
			if _, ours := errors.AsType[plain](c.err); !ours && !Failed(c.err) {
				t.Errorf("%v is no failure of the database", c.err)
			}
		})
	}
	for _, err := range []error{Wrap("look", context.Canceled), Wrap("look", ErrNotFound), Wrap("create", ErrExists), Wrap("create", ErrLimit), errors.New("something"), nil} {
		if Failed(err) {
			t.Errorf("%v counts as a failure", err)
		}
	}
}
