package pool

import (
	"context"
	"sync"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types/events"
)

// whatsmeow decrypts, stores and acknowledges one message after the other. Decrypting needs
// that order; the disk does not have to be waited for between them. A message whose event
// is on its way to the disk is told to whatsmeow as one that could not be handled, after
// which it says nothing to WhatsApp; acks says it when the event is there.

// unacknowledged is how many messages of an instance are on their way to the disk at most.
// One more waits before it is decrypted.
const unacknowledged = 32

// arrival is a message that was handed over to be stored.
type arrival struct {
	cli    *whatsmeow.Client
	line   uint64 // the connection it came over, see Instance.dials
	event  *events.Message
	stanza *waBinary.Node
	stored func() error // waits until it is on disk
	then   func()       // not nil: no message, but what is to be done when those before it are there
}

// acks acknowledges the messages of an instance in their order. Its goroutine is there
// while there is something to wait for.
type acks struct {
	room chan struct{} // a token for every message

	mu     sync.Mutex
	queue  []arrival
	busy   bool
	closed bool
	work   sync.WaitGroup
}

func newAcks() *acks { return &acks{room: make(chan struct{}, unacknowledged)} }

// add takes a message, or reports false when the instance ends.
func (a *acks) add(ctx context.Context, m arrival, acknowledge func(batch []arrival, settled func())) bool {
	select {
	case a.room <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		<-a.room
		return false
	}
	a.queue = append(a.queue, m)
	if !a.busy {
		a.busy = true
		a.work.Go(func() { a.run(acknowledge) })
	}
	return true
}

func (a *acks) run(acknowledge func(batch []arrival, settled func())) {
	for {
		a.mu.Lock()
		batch := a.queue
		a.queue = nil
		a.busy = len(batch) > 0
		a.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		acknowledge(batch, func() { <-a.room })
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
func (i *Instance) acknowledge(batch []arrival, settled func()) {
	there := batch[:0]
	failed := false
	for _, m := range batch {
		if m.then != nil {
			m.then()
			settled()
			continue
		}
		err := m.stored()
		settled()
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
