package app

import (
	"sync"
	"time"
)

const (
	// ackEach is how many finished events are acknowledged together. It is far less than the number
	// of events that the node sends ahead for one subject.
	ackEach = 4
	// ackAfter is how long fewer finished events wait for their acknowledgement.
	ackAfter = 10 * time.Millisecond
)

// acks acknowledges finished events to a node a few at a time, because nobody waits for an
// acknowledgement and each message wakes both processes. Events not yet acknowledged when a stream
// ends are covered by the cursor of the next one.
type acks struct {
	send func(sequence uint64) error

	mu           sync.Mutex
	done, told   uint64
	late         *time.Timer // runs while finished events wait to be acknowledged
	waits, ended bool
}

func newAcks(send func(uint64) error) *acks {
	a := &acks{send: send}
	a.late = time.AfterFunc(ackAfter, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.waits && !a.ended {
			_ = a.tell() // on an error the stream is over, and its reader knows why
		}
	})
	a.late.Stop()
	return a
}

// put records that all events up to a sequence are done.
func (a *acks) put(sequence uint64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done = sequence; a.done-a.told >= ackEach {
		return a.tell()
	}
	if !a.waits {
		a.waits = true
		a.late.Reset(ackAfter)
	}
	return nil
}

func (a *acks) tell() error {
	a.told, a.waits = a.done, false
	a.late.Stop()
	return a.send(a.done)
}

// end is called when the stream is over.
func (a *acks) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	a.late.Stop()
}
