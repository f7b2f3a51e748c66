package v1

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const (
	eventStream = "text/event-stream"
	jsonLines   = "application/x-ndjson"
	// beat is how often a silent stream shows that it lives: proxies cut what says nothing.
	beat = 15 * time.Second
	// patience is how long a reader of a stream may take for one event.
	patience = 10 * time.Second
)

// Streams that may be open: in all, and of one caller, so that one cannot take them all.
const (
	maxStreams          = 1000
	maxStreamsPerCaller = 100
)

// streaming is an answer that huma leaves to us.
type streaming struct {
	Body func(huma.Context)
}

// stream sends values one by one, as server-sent events or as lines of JSON. Its methods may be
// called from several goroutines.
type stream struct {
	lines bool

	mu      sync.Mutex
	w       http.ResponseWriter
	control *http.ResponseController
	failed  bool
}

// wantsEvents says whether a request asks for server-sent events.
func wantsEvents(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		if kind, _, _ := strings.Cut(part, ";"); strings.EqualFold(strings.TrimSpace(kind), eventStream) {
			return true
		}
	}
	return false
}

// stream begins a stream in the place of an answer and lets feed send, with a context that ends with
// the request, with the server and when the reader is gone.
func (a *API) stream(lines bool, feed func(ctx context.Context, s *stream)) *streaming {
	return &streaming{func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		caller := a.caller(r.Context())
		leave, p := a.streams.join(caller.ID)
		if p != nil {
			write(w, p)
			return
		}
		defer leave()
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		s := &stream{lines: lines, w: w, control: http.NewResponseController(w)}
		w.Header().Set("Content-Type", map[bool]string{true: jsonLines, false: eventStream}[lines])
		w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back
		if !s.put("") {
			return
		}
		var beating sync.WaitGroup
		beating.Go(func() {
			tick := time.NewTicker(beat)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-a.opt.Closing:
					cancel()
				case <-tick.C:
					if !lines && !s.put(": alive\n\n") {
						cancel()
					}
				}
			}
		})
		defer beating.Wait()
		defer cancel()
		feed(ctx, s)
	}}
}

// send sends a value under the name of its kind; id, if any, is where a reader may go on. It is false
// when nobody reads any more.
func (s *stream) send(kind, id string, value any) bool {
	raw, err := json.Marshal(value)
	if err != nil {
		raw = []byte(`{"code":"internal"}`) // unreachable: what is sent was read as JSON or is made of Go types
	}
	if s.lines {
		return s.put(string(raw) + "\n")
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	return s.put(fmt.Sprintf("%sevent: %s\ndata: %s\n\n", id, kind, raw))
}

func (s *stream) put(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed {
		return false
	}
	err := s.control.SetWriteDeadline(time.Now().Add(patience))
	if err == nil || errors.Is(err, http.ErrNotSupported) {
		_, err = s.w.Write([]byte(text))
	}
	if err == nil {
		err = s.control.Flush()
	}
	s.failed = err != nil
	return !s.failed
}

// streams counts the open ones, by caller.
type streams struct {
	mu   sync.Mutex
	all  int
	each map[string]int
}

// join takes a place, which leave gives back, or says why there is none.
func (c *streams) join(caller string) (leave func(), p *problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.each[caller] >= maxStreamsPerCaller:
		return nil, refuse(http.StatusTooManyRequests, "too_many_streams", fmt.Sprintf("this token has %d streams open, which is the limit; end one of them", maxStreamsPerCaller))
	case c.all >= maxStreams:
		return nil, refuse(http.StatusTooManyRequests, "too_many_streams", fmt.Sprintf("%d streams are open, which is the limit; try again later", maxStreams))
	}
	c.all++
	c.each[caller]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all--
		if c.each[caller]--; c.each[caller] == 0 {
			delete(c.each, caller)
		}
	}, nil
}

// describeStream says what a stream is made of, which OpenAPI 3.1 has no words for.
func describeStream(what string, lines bool) func(*huma.Operation) {
	return func(op *huma.Operation) {
		text := &huma.MediaType{Schema: &huma.Schema{Type: "string"}}
		answer := &huma.Response{Description: what, Content: map[string]*huma.MediaType{eventStream: text}}
		if lines {
			answer.Content[jsonLines] = text
		}
		op.Responses["200"] = answer
	}
}
