package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// pollEvery is how often Signals.Look is called while Postgres passes on no notifications, and
	// lookAnyway how often it is called otherwise: processes of an earlier version send none.
	pollEvery  = 250 * time.Millisecond
	lookAnyway = 2 * time.Second
	// proveEvery is how often the listening connection is tested, and answerTime how long the test,
	// connecting, or one call of Look may take.
	proveEvery = 15 * time.Second
	answerTime = 5 * time.Second
	// again and againMost bound the pause before the next attempt to listen.
	again     = 250 * time.Millisecond
	againMost = 30 * time.Second
)

// ear receives the notifications of other processes, on a connection of its own.
type ear struct {
	life  sync.Mutex
	stop  context.CancelFunc
	work  sync.WaitGroup
	hears atomic.Bool
}

// Start begins to listen, on Postgres, until Stop. It is idempotent.
func (s *Signals) Start() {
	s.ear.life.Lock()
	defer s.ear.life.Unlock()
	if s.ear.stop != nil || s.db.dialect != "postgres" {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	s.ear.stop = stop
	s.ear.work.Go(func() { s.keepListening(ctx) })
	s.ear.work.Go(func() { s.poll(ctx) })
}

// Stop ends what Start began and waits for it. It is idempotent.
func (s *Signals) Stop() {
	s.ear.life.Lock()
	defer s.ear.life.Unlock()
	if s.ear.stop == nil {
		return
	}
	s.ear.stop()
	s.ear.work.Wait()
	s.ear.stop = nil
}

// poll calls Look, more often while no notifications can be received.
func (s *Signals) poll(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var last time.Time
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if s.ear.hears.Load() && time.Since(last) < lookAnyway {
			continue
		}
		last = time.Now()
		look, cancel := context.WithTimeout(ctx, answerTime)
		_ = s.Look(look) // the Monitor reports a database that fails
		cancel()
	}
}

func (s *Signals) keepListening(ctx context.Context) {
	for pause := again; ; pause = min(2*pause, againMost) {
		if worked := s.listen(ctx); worked {
			pause = again
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// listen receives notifications until its connection ends or stops delivering them, and reports
// whether it has received any.
func (s *Signals) listen(ctx context.Context) (worked bool) {
	conn, err := s.connect(ctx)
	if err != nil {
		return false
	}
	defer func() {
		s.ear.hears.Store(false)
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
		defer cancel()
		_ = conn.Close(bye) // it may have ended by itself
	}()
	for n := 0; ; n++ {
		// A connection that delivers no notifications looks like one for which there are none. A
		// notification sent over another connection must therefore arrive.
		proof := fmt.Sprint(s.origin, "#", n)
		if err := s.send(ctx, proof); err != nil {
			return worked
		}
		if err := s.hear(ctx, conn, answerTime, proof); err != nil {
			return worked
		}
		if !worked {
			worked = true
			s.ear.hears.Store(true)
			s.WakeAll() // for notifications that were sent before
		}
		if err := s.hear(ctx, conn, proveEvery, ""); err != nil && !pgconn.Timeout(err) {
			return true
		}
	}
}

func (s *Signals) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	cfg, err := postgresConfig(s.db.opt.Postgres)
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["application_name"] = "tapnode listener"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{s.channel}.Sanitize()); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

func (s *Signals) send(ctx context.Context, payload string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	_, err := s.db.sql.ExecContext(ctx, notify, s.channel, payload)
	return err
}

// hear wakes the waiters for each notification of another process. It returns when a notification
// with the payload until arrives or the limit is over.
func (s *Signals) hear(ctx context.Context, conn *pgx.Conn, limit time.Duration, until string) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if n.Payload == until {
			return nil
		}
		if origin, topics, _ := strings.Cut(n.Payload, " "); origin != s.origin {
			for topic := range strings.FieldsSeq(topics) {
				s.Wake(topic)
			}
		}
	}
}
