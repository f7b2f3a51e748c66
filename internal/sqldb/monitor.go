package sqldb

import (
	"context"
	"sync"
	"time"
)

const (
	// lookEvery is how often a Monitor looks at a database that works.
	lookEvery = 10 * time.Second
	// lookAgain is how often it looks at one that does not.
	lookAgain = 500 * time.Millisecond
	// lookTime is how long one look may take: a database that hangs does not work.
	lookTime = 5 * time.Second
)

// Monitor knows whether a database can be written: it writes one row, unsynced, every
// ten seconds, and twice a second while that fails. Start and Stop it.
type Monitor struct {
	// First runs at the beginning of each look's transaction, to take a lock that other
	// writers of the database take, too; nil: nothing. Set it before Start.
	First func(*Tx) error

	db      *DB
	changed func(error)

	suspect chan struct{}

	mu    sync.Mutex
	err   error
	works chan struct{} // closed while the database works

	life sync.Mutex
	stop context.CancelFunc
	done chan struct{}
}

// Monitor returns a monitor that has not started. changed is called with the reason when the
// database cannot be written, and with nil when it can again; it must not block. It may be nil.
func (db *DB) Monitor(changed func(error)) *Monitor {
	m := &Monitor{db: db, changed: changed, suspect: make(chan struct{}, 1), works: make(chan struct{})}
	close(m.works)
	return m
}

// Suspect reports that an access to the database failed: the monitor looks now.
func (m *Monitor) Suspect() {
	select {
	case m.suspect <- struct{}{}:
	default: // it is already about to look
	}
}

// Err returns why the database could not be written when the monitor last looked; nil if it could.
func (m *Monitor) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// Wait returns when the database works, as far as the monitor knows, or with ctx's error.
func (m *Monitor) Wait(ctx context.Context) error {
	m.mu.Lock()
	works := m.works
	m.mu.Unlock()
	select {
	case <-works:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Look checks once whether the database can be written, and returns the error if not.
func (m *Monitor) Look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	saw := make(chan error, 1)
	go func() { // the writer ignores the context once the transaction has begun
		saw <- m.db.WriteUnsynced(ctx, "look whether the database can be written", func(t *Tx) error {
			if m.First != nil {
				if err := m.First(t); err != nil {
					return err
				}
			}
			return t.PutMeta("written_at", time.Now().UTC().Format(time.RFC3339))
		})
	}()
	select {
	case err := <-saw:
		return err
	case <-ctx.Done():
		return Wrap("look whether the database can be written", ctx.Err())
	}
}

// Start begins to look, until Stop. It is idempotent.
func (m *Monitor) Start() {
	m.life.Lock()
	defer m.life.Unlock()
	if m.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	m.stop, m.done = stop, make(chan struct{})
	go m.loop(ctx, m.done)
}

// Stop ends what Start began and waits for it. It is idempotent.
func (m *Monitor) Stop() {
	m.life.Lock()
	defer m.life.Unlock()
	if m.stop == nil {
		return
	}
	m.stop()
	<-m.done
	m.stop = nil
}

func (m *Monitor) loop(ctx context.Context, done chan struct{}) {
	defer close(done)
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-m.suspect:
		}
		err := m.Look(ctx)
		if ctx.Err() != nil {
			return
		}
		m.note(err)
		next := lookEvery
		if err != nil {
			next = lookAgain
		}
		timer.Reset(next)
	}
}

func (m *Monitor) note(err error) {
	m.mu.Lock()
	before := m.err
	m.err = err
	switch {
	case before == nil && err != nil:
		m.works = make(chan struct{})
	case before != nil && err == nil:
		close(m.works)
	}
	m.mu.Unlock()
	if m.changed != nil && (before == nil) != (err == nil) {
		m.changed(err)
	}
}
