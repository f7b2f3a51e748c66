package app

import (
	"sync"
	"time"
)

const (
	// ackEach is after how many events the node hears that they are done. It is far less than
	// what it sends ahead of that for one subject.
	ackEach = 4
	// ackAfter is how long it waits for fewer.
	ackAfter = 10 * time.Millisecond
)

// acks tells a node what is done, a few events at a time: nobody waits for it, and each message wakes both
// processes. What is not told before a stream ends the next one's cursor says.
type acks struct {
	send func(sequence uint64) error

	mu           sync.Mutex
	done, told   uint64
	late         *time.Timer // runs while something waits to be told
	waits, ended bool
}

func newAcks(send func(uint64) error) *acks {
	a := &acks{send: send}
	a.late = time.AfterFunc(ackAfter, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.waits && !a.ended {
			_ = a.tell() // the stream is over then, and its reader knows why
		}
	})
	a.late.Stop()
	return a
}

// put takes the sequence of an event up to which all are done.
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
