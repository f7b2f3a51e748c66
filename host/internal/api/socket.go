package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/host/internal/seed"
)

const (
	maxSockets  = 1000             // open WebSockets
	socketQueue = 256              // events a slow reader may lag behind
	pingEvery   = 30 * time.Second // heartbeat; also bounds how long a dead peer is kept
)

// Publish sends an event of an instance to every WebSocket of it. It never waits: a reader
// that lags more than socketQueue events is disconnected.
func (s *Server) Publish(ev engine.Outgoing) {
	told := events.InSeed(ev)
	raw, err := json.Marshal(told)
	if err != nil {
		s.opt.Logger.Error("event is not JSON", "type", ev.Type, "id", ev.ID, "err", err)
		return
	}
	s.hub.publish(ev.Instance, told.Event, raw)
}

func (s *Server) socket(w http.ResponseWriter, r *http.Request) {
	instance, wanted := r.PathValue("instance"), seed.Websocket{Enabled: true}
	if s.opt.Seed != nil {
		err := s.opt.Seed.Exists(r.Context(), instance)
		if err == nil {
			wanted, _, err = s.opt.Seed.Websocket(r.Context(), instance)
		}
		if err != nil {
			failWith(w, err)
			return
		}
	}
	if !wanted.Enabled {
		fail(w, http.StatusBadRequest, "not_enabled", "WebSocket is not enabled for this instance: POST /api/events/websocket/{instance} with enabled true")
		return
	}
	reader, ok := s.hub.join(instance, wanted)
	if !ok {
		fail(w, http.StatusServiceUnavailable, "too_many_sockets", "Too many open WebSockets")
		return
	}
	defer s.hub.leave(reader)
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: s.opt.Origins}) // or Origin's host is ours
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }()
	ctx := conn.CloseRead(r.Context())
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-reader.lagged:
			_ = conn.Close(websocket.StatusPolicyViolation, "too slow: events were dropped")
			return
		case <-s.hub.closed:
			_ = conn.Close(websocket.StatusGoingAway, "the server stops")
			return
		case raw := <-reader.queue:
			err = within(ctx, func(ctx context.Context) error { return conn.Write(ctx, websocket.MessageText, raw) })
		case <-ping.C:
			err = within(ctx, conn.Ping)
		}
		if err != nil {
			return
		}
	}
}

func within(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return f(ctx)
}

// hub hands events to the readers of an instance.
type hub struct {
	mu      sync.Mutex
	readers map[*reader]struct{}
	empty   chan struct{} // closed when it is closed and the last reader has left
	once    sync.Once
	closed  chan struct{}
}

type reader struct {
	instance string
	wanted   seed.Websocket
	queue    chan []byte
	lagged   chan struct{}
	once     sync.Once
}

func newHub() *hub {
	return &hub{readers: map[*reader]struct{}{}, empty: make(chan struct{}), closed: make(chan struct{})}
}

func (h *hub) join(instance string, wanted seed.Websocket) (*reader, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.readers) >= maxSockets || h.isClosed() {
		return nil, false
	}
	r := &reader{instance: instance, wanted: wanted, queue: make(chan []byte, socketQueue), lagged: make(chan struct{})}
	h.readers[r] = struct{}{}
	return r, true
}

func (h *hub) leave(r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.readers, r)
	if len(h.readers) == 0 && h.isClosed() {
		close(h.empty)
	}
}

// configure says what the readers of an instance get from now on.
func (h *hub) configure(instance string, wanted seed.Websocket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.readers {
		if r.instance == instance {
			r.wanted = wanted
		}
	}
}

func (h *hub) publish(instance, event string, raw []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.readers {
		if r.instance != instance || !r.wanted.Wants(event) {
			continue
		}
		select {
		case r.queue <- raw:
		default:
			r.once.Do(func() { close(r.lagged) })
		}
	}
}

func (h *hub) close() {
	h.once.Do(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		close(h.closed)
		if len(h.readers) == 0 {
			close(h.empty)
		}
	})
}

func (h *hub) isClosed() bool {
	select {
	case <-h.closed:
		return true
	default:
		return false
	}
}

// wait returns when the last reader has left a closed hub.
func (h *hub) wait(ctx context.Context) error {
	select {
	case <-h.empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close WebSockets: %w", ctx.Err())
	}
}
