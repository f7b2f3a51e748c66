package wasim

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim/internal/noise"
)

const (
	handshakeTimeout = 20 * time.Second // as long as whatsmeow waits
	idleTimeout      = 5 * time.Minute  // clients send a keep-alive every 20 to 30 seconds
	writeTimeout     = 30 * time.Second
)

// accept is the life of one connection: websocket, handshake, login, stanzas.
func (s *Server) accept(w http.ResponseWriter, r *http.Request) {
	c := &conn{s: s, from: r.RemoteAddr, out: newFrameQueue(s.opts.Limits.Frames)}
	if !s.admit(c) {
		http.Error(w, "too many connections", http.StatusServiceUnavailable)
		return
	}
	defer s.leave(c)
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // clients claim the origin web.whatsapp.com
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = ws.CloseNow() }()
	ws.SetReadLimit(int64(s.opts.Limits.Frame) + 1024)
	c.ws = ws
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	defer c.cancel()
	if err := c.serve(); err != nil && s.ctx.Err() == nil {
		s.log.Debug("connection ended", "err", err)
	}
}

func (s *Server) admit(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.conns) >= s.opts.Limits.Connections {
		return false
	}
	s.conns[c] = struct{}{}
	s.work.Add(1)
	return true
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	for _, ref := range c.refs {
		delete(s.waiting, ref)
	}
	delete(s.codes, c)
	s.mu.Unlock()
	if c.dev != nil {
		c.dev.detach(c)
	}
	s.work.Done()
}

// socket is a websocket as the byte stream that Noise wants.
type socket struct{ ws *websocket.Conn }

func (t socket) Read(ctx context.Context) ([]byte, error) {
	kind, data, err := t.ws.Read(ctx)
	if err == nil && kind != websocket.MessageBinary {
		err = errors.New("text message on a binary protocol")
	}
	return data, err
}

func (t socket) Write(ctx context.Context, data []byte) error {
	return t.ws.Write(ctx, websocket.MessageBinary, data)
}

func (c *conn) serve() error {
	f := c.s.fault(FaultEvent{Stage: StageHandshake})
	if !c.pause(f) {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, handshakeTimeout)
	defer cancel()
	nc, hello, err := noise.Accept(ctx, socket{c.ws}, c.s.identity, c.s.opts.Limits.Frame)
	if err != nil {
		return err
	}
	if f.Disconnect == After {
		return nil
	}
	c.noise = nc
	var who waWa6.ClientPayload
	if err := proto.Unmarshal(hello.Payload, &who); err != nil {
		return err
	}
	var writing sync.WaitGroup
	writing.Go(c.write)
	defer writing.Wait()
	defer c.cancel()
	if !c.login(hello.Static, &who) {
		<-c.ctx.Done()
		return nil
	}
	return c.read()
}

// pause applies what a fault of an early stage can ask for and reports whether to go on.
func (c *conn) pause(f Fault) bool {
	if f.Delay > 0 {
		timer := time.NewTimer(time.Duration(f.Delay))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			return false
		}
	}
	if f.Drop {
		c.ignore()
	}
	return !f.Drop && f.Disconnect != Before
}

// ignore reads without answering until the client gives up.
func (c *conn) ignore() {
	ctx, cancel := context.WithTimeout(c.ctx, idleTimeout)
	defer cancel()
	for {
		if _, _, err := c.ws.Read(ctx); err != nil {
			return
		}
	}
}
