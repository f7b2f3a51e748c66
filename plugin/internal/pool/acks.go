package pool

import (
	"context"
	"sync"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types/events"
	"golang.org/x/sync/semaphore"
)

// whatsmeow decrypts, stores and acknowledges messages one at a time. Decryption needs that order,
// but it need not wait for the disk in between. So while a message's event is being written to
// disk, whatsmeow is told that the message could not be handled and does not acknowledge it; acks
// acknowledges it once the event is stored.

const (
	// unacknowledged is how many messages of an instance may be on their way to the disk. The next
	// one waits before it is decrypted.
	unacknowledged = 128
	// inCompany is that number while other instances also receive messages: at every step, those of
	// another instance have to wait behind these.
	inCompany = 4
)

// arrival is a message that was handed over for storing.
type arrival struct {
	cli    *whatsmeow.Client
	line   uint64 // the connection it arrived on, see Instance.dials
	event  *events.Message
	stanza *waBinary.Node
	stored func() error // waits until it is on disk
	then   func()       // if not nil, this is no message but a call to make once all earlier messages are stored
	weight int64        // how much of acks.room it takes
}

// acks acknowledges the messages of an instance in order. Its goroutine runs only while there are
// messages to wait for.
type acks struct {
	alone func() bool // reports whether no other instance receives anything
	room  *semaphore.Weighted

	mu     sync.Mutex
	queue  []arrival
	busy   bool
	closed bool
	work   sync.WaitGroup
}

func newAcks(alone func() bool) *acks {
	return &acks{alone: alone, room: semaphore.NewWeighted(unacknowledged)}
}

// add accepts a message, or returns false when the instance is ending.
func (a *acks) add(ctx context.Context, m arrival, acknowledge func(batch []arrival, done func(arrival))) bool {
	m.weight = 1
	if !a.alone() {
		m.weight = unacknowledged / inCompany
	}
	if a.room.Acquire(ctx, m.weight) != nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		a.room.Release(m.weight)
		return false
	}
	a.queue = append(a.queue, m)
	if !a.busy {
		a.busy = true
		a.work.Go(func() { a.run(acknowledge) })
	}
	return true
}

func (a *acks) run(acknowledge func(batch []arrival, done func(arrival))) {
	for {
		a.mu.Lock()
		batch := a.queue
		a.queue = nil
		a.busy = len(batch) > 0
		a.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		acknowledge(batch, func(m arrival) { a.room.Release(m.weight) })
	}
}

// close stops accepting messages and waits for those accepted before.
func (a *acks) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.work.Wait()
}

// acknowledge acknowledges to WhatsApp the messages that are on disk. Messages of a connection that
// has ended are delivered again; they are then recognised by their stored mark and acknowledged.
func (i *Instance) acknowledge(batch []arrival, done func(arrival)) {
	there := batch[:0]
	failed := false
	for _, m := range batch {
		if m.then != nil {
			m.then()
			done(m)
			continue
		}
		err := m.stored()
		done(m)
		switch {
		case err == nil:
			there = append(there, m)
		case failed: // usually caused by the previous failure
			i.kept.Add(1)
		default:
			failed = true
			i.single.Store(m.line + 1)
			i.stored(m.cli, "message", err)
		}
	}
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Ack)
	defer cancel()
	for _, m := range there {
		if m.line == i.dials.Load() {
			m.cli.DangerousInternals().SendMessageReceipt(ctx, &m.event.Info, m.stanza)
		}
	}
}
