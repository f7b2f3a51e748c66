package sqldb

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
)

// Signals wake those who wait for a topic, such as a kind of event: in this process at once, and in
// other processes on the same Postgres when a transaction that announces the topic is committed. A
// signal may be spurious, and one that was sent while a process did not listen is made up for: each
// waiter looks into the database when it is woken. Start and Stop it.
type Signals struct {
	// Look wakes the waiters for which there may be something new. It is called now and then, and
	// several times a second while Postgres passes on no notifications, as behind a pgbouncer in
	// transaction mode. Set it before Start.
	Look func(ctx context.Context) error

	db      *DB
	channel string
	origin  string // marks the notifications of this process

	mu     sync.Mutex
	ch     map[string]chan struct{} // by topic; "" is every topic
	closed bool

	ear ear
}

// Signals returns signals that have not started. All processes that share them use the same
// channel.
func (db *DB) Signals(channel string) *Signals {
	return &Signals{db: db, channel: channel, origin: rand.Text()}
}

// Wait returns a channel that is closed by the next signal of the topic; "" is any topic. Call it
// before looking at what may have changed.
func (s *Signals) Wait(topic string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch := s.ch[topic]; ch != nil {
		return ch
	}
	ch := make(chan struct{})
	if s.closed {
		close(ch)
		return ch
	}
	if s.ch == nil {
		s.ch = make(map[string]chan struct{})
	}
	s.ch[topic] = ch
	return ch
}

// Wake wakes those who wait for a topic in this process, and in no other: each of them queries the
// database.
func (s *Signals) Wake(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range [...]string{topic, ""} {
		if ch := s.ch[k]; ch != nil {
			close(ch)
			delete(s.ch, k)
		}
	}
}

// WakeAll wakes all waiters in this process.
func (s *Signals) WakeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ch := range s.ch {
		close(ch)
	}
	clear(s.ch)
}

// Close wakes all waiters. A later Wait returns a closed channel.
func (s *Signals) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.WakeAll()
}

// Tell wakes the other processes when the transaction is committed. A topic is a single word. The
// caller calls Wake for its own process.
func (s *Signals) Tell(t *Tx, topic string) error {
	if s.db.dialect != "postgres" {
		return nil
	}
	n, err := Join(t, func() (*notice, error) { return &notice{signals: s}, nil })
	if err == nil && !slices.Contains(n.topics, topic) {
		n.topics = append(n.topics, topic)
	}
	return err
}

// notice collects the topics of all writes of one transaction for a single notification: a commit
// that notifies takes a lock that all of the server's databases share.
type notice struct {
	signals *Signals
	topics  []string
}

// End implements Joint.
func (n *notice) End(t *Tx) error {
	return t.Later(notify, n.signals.channel, n.signals.origin+" "+strings.Join(n.topics, " "))
}

const notify = `SELECT pg_notify($1, $2)`
