package pool

import (
	"context"
	"sync"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types/events"
	"golang.org/x/sync/semaphore"
)

// whatsmeow decrypts, stores and acknowledges one message after the other. Decrypting needs
// that order; the disk does not have to be waited for between them. A message whose event
// is on its way to the disk is told to whatsmeow as one that could not be handled, after
// which it says nothing to WhatsApp; acks says it when the event is there.

const (
	// unacknowledged is how many messages of an instance are on their way to the disk at most.
	// One more waits before it is decrypted.
	unacknowledged = 128
	// inCompany is how many when other instances receive something, too: what another one needs has these before it, at
	// each step of its way.
	inCompany = 4
)

// arrival is a message that was handed over to be stored.
type arrival struct {
	cli    *whatsmeow.Client
	line   uint64 // the connection it came over, see Instance.dials
	event  *events.Message
	stanza *waBinary.Node
	stored func() error // waits until it is on disk
	then   func()       // not nil: no message, but what is to be done when those before it are there
	weight int64        // of the room it takes
}

// acks acknowledges the messages of an instance in their order. Its goroutine is there
// while there is something to wait for.
type acks struct {
	alone func() bool // no other instance receives anything
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

// add takes a message, or reports false when the instance ends.
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

// close waits for the messages that were taken, and takes no more.
func (a *acks) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.work.Wait()
}

// acknowledge tells WhatsApp which messages are on disk. Those of a line that has ended
// come again; they find their mark and are acknowledged then.
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
		case failed: // mostly by the one before it
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
