package wasim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/wasim/internal/noise"
)

// conn is one connection of a client, paired or not.
type conn struct {
	s      *Server
	ws     *websocket.Conn
	from   string // the client's address
	noise  *noise.Conn
	ctx    context.Context
	cancel context.CancelFunc
	out    *frameQueue
	deaf   atomic.Bool // incoming stanzas are discarded

	dev  *Device       // nil until the client is paired
	reg  *registration // what an unpaired client has said about itself
	refs []string      // its QR references

	passkey atomic.Pointer[passkeyPairing] // the exchange after a scan that requires a passkey

	mu      sync.Mutex
	replies map[string]chan *waBinary.Node // our queries that the client has not answered yet
}

// read handles stanzas in order of arrival until the connection ends.
func (c *conn) read() error {
	for {
		ctx, cancel := context.WithTimeout(c.ctx, idleTimeout)
		frame, err := c.noise.ReadFrame(ctx)
		cancel()
		if err != nil {
			return err
		}
		n, err := decode(frame, c.s.opts.Limits.Frame)
		if err != nil {
			return err
		}
		c.s.record.stanza(In, c.dev, n)
		if c.deaf.Load() {
			continue
		}
		c.handle(n)
	}
}

func (c *conn) handle(n *waBinary.Node) {
	switch {
	case n.Tag == "iq":
		c.onIQ(n)
	case n.Tag == "ib": // telemetry
	case c.dev == nil && n.Tag == "ack": // acknowledges a link code's notification
	case c.dev == nil:
		c.s.record.unhandled(n) // an unpaired client has no reason to send anything else
	case n.Tag == "message":
		c.onMessage(n)
	case n.Tag == "receipt":
		c.onReceipt(n)
	case n.Tag == "ack":
		c.dev.acked(text(n, "class"), text(n, "id"), address(n, "to"))
	case n.Tag == "presence":
		c.onPresence(n)
	case n.Tag == "chatstate":
		c.onChatState(n)
	default:
		c.s.record.unhandled(n)
	}
}

// send queues a stanza for the socket. A client that does not read is disconnected rather than waited for.
func (c *conn) send(n waBinary.Node) {
	data, err := waBinary.Marshal(n)
	if err != nil {
		c.s.log.Error("stanza does not encode", "tag", n.Tag, "err", err)
		return
	}
	c.s.record.stanza(Out, c.dev, &n)
	if !c.out.put(data) {
		c.s.log.Warn("client does not read; disconnected")
		c.cancel()
	}
}

// bye sends the last stanza of a connection and closes it after Options.CloseGrace.
func (c *conn) bye(n waBinary.Node) {
	c.send(n)
	c.out.end()
}

// write is the only goroutine that writes to the socket.
func (c *conn) write() {
	defer c.cancel()
	for {
		frames, last := c.out.take(c.ctx)
		if len(frames) > 0 {
			ctx, cancel := context.WithTimeout(c.ctx, writeTimeout)
			for _, data := range frames {
				if c.noise.WriteFrame(ctx, data) != nil {
					cancel()
					return
				}
			}
			cancel()
		}
		if last {
			timer := time.NewTimer(c.s.opts.CloseGrace)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-c.ctx.Done():
			}
			return
		}
		if c.ctx.Err() != nil {
			return
		}
	}
}

var errNoAnswer = errors.New("client disconnected without an answer")

// ask sends a query and waits for the client's answer. An answer of type error is an error.
func (c *conn) ask(ctx context.Context, content waBinary.Node, attrs waBinary.Attrs) (*waBinary.Node, error) {
	id, answer := c.s.nextID(), make(chan *waBinary.Node, 1)
	c.mu.Lock()
	if c.replies == nil {
		c.replies = make(map[string]chan *waBinary.Node)
	}
	c.replies[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.replies, id)
		c.mu.Unlock()
	}()
	iq := waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"from": types.ServerJID, "type": "set", "id": id}, Content: []waBinary.Node{content}}
	for k, v := range attrs {
		iq.Attrs[k] = v
	}
	c.send(iq)
	select {
	case n := <-answer:
		if text(n, "type") != "result" {
			e := n.GetChildByTag("error")
			return nil, fmt.Errorf("client answers with error %s %s", text(&e, "code"), text(&e, "text"))
		}
		return n, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.ctx.Done():
		return nil, errNoAnswer
	}
}

// answered passes the client's answer to the query it belongs to. Answers to no known query are dropped.
func (c *conn) answered(n *waBinary.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch, ok := c.replies[text(n, "id")]; ok {
		delete(c.replies, text(n, "id"))
		ch <- n
	}
}

// frameQueue holds the frames queued for a socket.
type frameQueue struct {
	mu     sync.Mutex
	frames [][]byte
	limit  int
	ended  bool
	wake   chan struct{}
}

func newFrameQueue(limit int) *frameQueue {
	return &frameQueue{limit: limit, wake: make(chan struct{}, 1)}
}

// put reports false when the queue is full. Frames put after end are dropped.
func (q *frameQueue) put(data []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return true
	}
	if len(q.frames) >= q.limit {
		return false
	}
	q.frames = append(q.frames, data)
	q.signal()
	return true
}

func (q *frameQueue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.signal()
}

func (q *frameQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take waits for frames and returns all of them; last reports that none will follow.
func (q *frameQueue) take(ctx context.Context) (frames [][]byte, last bool) {
	select {
	case <-q.wake:
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	frames, q.frames = q.frames, nil
	return frames, q.ended
}
