package api

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/host/internal/feed"
	"github.com/tapnode/tapnode/host/internal/seed"
)

// socket serves /ws/{instance}: the events of an instance in the form that the seed's clients read. With
// ?after= it continues after the event with that sequence.
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
	want := feed.Want{Filter: events.Filter{Instances: []string{instance}}, Shape: feed.Seed}
	if text := r.URL.Query().Get("after"); text != "" {
		after, err := feed.ParseSequence(text)
		if err != nil {
			fail(w, http.StatusBadRequest, "invalid_request", err.Error())
			return
		}
		want.After = &after
	}
	if !feed.Allowed(r, s.opt.Origins) {
		fail(w, http.StatusForbidden, "forbidden", "A web page of another origin may not call this")
		return
	}
	token, _ := tokenIn(r.Context())
	leave, err := s.places.Join(token.ID)
	if err != nil {
		fail(w, http.StatusServiceUnavailable, "too_many_sockets", err.Error())
		return
	}
	defer leave()
	now, leave := s.sockets.join(instance, wanted)
	defer leave()
	want.Passes = func(_, name string) bool { return now.Load().Wants(name) }
	reader, err := s.tail.Open(r.Context(), want)
	if err != nil {
		s.opt.Logger.Error("the outbox cannot be read", "err", err)
		fail(w, http.StatusServiceUnavailable, "unavailable", "The events cannot be read now; try again")
		return
	}
	defer reader.Close()
	feed.NewSession(s.places, func(ctx context.Context) bool { return s.valid(ctx, r) }).Socket(w, r, reader)
}

// sockets holds the settings of the open sockets by instance, since clients may change which events an
// open socket gets.
type sockets struct {
	mu   sync.Mutex
	open map[string]map[*atomic.Pointer[seed.Websocket]]struct{}
}

func newSockets() sockets {
	return sockets{open: map[string]map[*atomic.Pointer[seed.Websocket]]struct{}{}}
}

func (s *sockets) join(instance string, wanted seed.Websocket) (now *atomic.Pointer[seed.Websocket], leave func()) {
	now = &atomic.Pointer[seed.Websocket]{}
	now.Store(&wanted)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[instance] == nil {
		s.open[instance] = map[*atomic.Pointer[seed.Websocket]]struct{}{}
	}
	s.open[instance][now] = struct{}{}
	return now, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if delete(s.open[instance], now); len(s.open[instance]) == 0 {
			delete(s.open, instance)
		}
	}
}

// configure sets which events the open sockets of an instance get from now on.
func (s *sockets) configure(instance string, wanted seed.Websocket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for now := range s.open[instance] {
		now.Store(&wanted)
	}
}
