package sqldb

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestMonitor(t *testing.T) {
	db := openTest(t, Options{Dir: t.TempDir()})
	changes := make(chan error, 10)
	m := db.Monitor(func(err error) { changes <- err })
	m.Start()
	m.Start()
	defer m.Stop()
	next := func() error {
		t.Helper()
		select {
		case err := <-changes:
			return err
		case <-time.After(30 * time.Second):
			t.Fatal("nothing changed")
			return nil
		}
	}
	if err := m.Wait(t.Context()); err != nil || m.Err() != nil {
		t.Fatalf("a database that works: %v, %v", err, m.Err())
	}
	rename := func(from, to string) {
		t.Helper()
		if _, err := db.SQL().ExecContext(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to); err != nil {
			t.Fatal(err)
		}
	}
	rename("meta", "hidden")
	m.Suspect()
	if err := next(); err == nil || m.Err() == nil {
		t.Fatalf("a table that is gone: %v", err)
	}
	waiting, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Wait(waiting); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a broken database: %v", err)
	}
	rename("hidden", "meta")
	if err := errors.Join(next(), m.Wait(t.Context()), m.Err()); err != nil {
		t.Errorf("it works again: %v", err)
	}
	m.Stop()
	m.Stop()
}
