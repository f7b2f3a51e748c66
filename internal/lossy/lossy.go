// Package lossy lets a program write to a destination that may not accept its output: a log pipe
// whose reader hangs, a closed stderr, a full disk.
//
// What it guarantees: Write never fails, and delays its caller by at most [MaxWait] each time the
// reader stops reading. While the reader keeps reading, a Write returns when the reader has its
// bytes, as a plain one does, so a program that ends right after it loses nothing. A write that
// does not fit into the buffer is dropped as a whole, and counted; the reader is told the number
// when it reads again.
package lossy

import (
	"io"
	"sync"
	"time"
)

// MaxWait is how long the first Write waits for a reader that has stopped reading.
const MaxWait = 250 * time.Millisecond

// maxQueued bounds the bytes that wait for the reader.
const maxQueued = 1 << 20

// Writer is the writing end. Its methods are safe for concurrent use.
type Writer struct {
	to   io.Writer
	tell func(dropped int) []byte

	mu      sync.Mutex
	queue   []chunk
	bytes   int
	dropped int  // since the reader was told
	stalled bool // the reader did not take the last write in time
	closed  bool
	wake    chan struct{} // buffers one signal: there is work, or the Writer was closed
	done    chan struct{} // closed when the goroutine has ended
}

type chunk struct {
	bytes   []byte
	written chan struct{} // closed when the reader has it, or cannot have it
}

// New returns a Writer to w. tell returns the notice of dropped writes, as a line; with nil there
// is none. Close ends the Writer.
func New(w io.Writer, tell func(dropped int) []byte) *Writer {
	l := &Writer{to: w, tell: tell, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go l.run()
	return l
}

// Write takes a copy of p. It always reports success.
func (w *Writer) Write(p []byte) (int, error) {
	if written := w.put(p); written != nil {
		timer := time.NewTimer(MaxWait)
		defer timer.Stop()
		select {
		case <-written:
		case <-timer.C:
			w.mu.Lock()
			w.stalled = true
			w.mu.Unlock()
		}
	}
	return len(p), nil
}

// put queues p and returns what to wait for; nil if there is nothing to wait for.
func (w *Writer) put(p []byte) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.bytes+len(p) > maxQueued {
		w.dropped++
		return nil
	}
	c := chunk{append([]byte(nil), p...), make(chan struct{})}
	w.queue = append(w.queue, c)
	w.bytes += len(p)
	w.nudge()
	if w.stalled {
		return nil
	}
	return c.written
}

func (w *Writer) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *Writer) run() {
	defer close(w.done)
	for range w.wake {
		for {
			c, notice, ok := w.next()
			if !ok {
				break
			}
			if len(notice) > 0 {
				_, _ = w.to.Write(notice) // it would only say that something is missing
			}
			_, err := w.to.Write(c.bytes)
			close(c.written)
			w.wrote(err)
		}
		if w.ended() {
			return
		}
	}
}

// next takes the oldest chunk, with the notice that has to come before it.
func (w *Writer) next() (c chunk, notice []byte, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return chunk{}, nil, false
	}
	c = w.queue[0]
	w.queue[0] = chunk{}
	w.queue = w.queue[1:]
	w.bytes -= len(c.bytes)
	if w.dropped > 0 && w.tell != nil {
		notice, w.dropped = w.tell(w.dropped), 0
	}
	return c, notice, true
}

func (w *Writer) wrote(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stalled = false
	if err != nil {
		w.dropped++
	}
}

func (w *Writer) ended() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed && len(w.queue) == 0
}

// Close waits, for at most [MaxWait], until the reader has everything. Later writes are dropped.
func (w *Writer) Close() {
	w.mu.Lock()
	w.closed = true
	w.nudge()
	w.mu.Unlock()
	timer := time.NewTimer(MaxWait)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C:
	}
}
