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

	"github.com/tapnode/tapnode/host/internal/feed"
)

const (
	eventStream = "text/event-stream"
	jsonLines   = "application/x-ndjson"
	// streamPatience is how long a reader of a stream may take for one event.
	streamPatience = 10 * time.Second
)

// streaming is an answer that this package writes itself, not huma.
type streaming struct {
	Body func(huma.Context)
}

// stream sends values one by one, as server-sent events or as lines of JSON. Its methods may be
// called from several goroutines.
type stream struct {
	lines    bool
	patience time.Duration

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

// stream answers with a stream and calls tell to send on it. The context of tell ends with the request,
// with the server and when the reader is gone.
func (a *API) stream(lines bool, tell func(ctx context.Context, s *stream)) *streaming {
	return &streaming{func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		leave, p := a.join(r)
		if p != nil {
			write(w, p)
			return
		}
		defer leave()
		s := &stream{lines: lines, patience: a.patience, w: w, control: http.NewResponseController(w)}
		w.Header().Set("Content-Type", map[bool]string{true: jsonLines, false: eventStream}[lines])
		w.Header().Set("X-Accel-Buffering", "no") // or nginx would buffer the events
		if !s.put("") {
			return
		}
		ctx, end := a.session(r).Watch(r.Context(), s.beat)
		defer end()
		tell(ctx, s)
	}}
}

// session returns the session of a stream, which ends with the server or when Options.Valid says that
// the request's token is no longer valid.
func (a *API) session(r *http.Request) feed.Session {
	if a.opt.Valid == nil {
		return feed.NewSession(a.opt.Places, nil)
	}
	return feed.NewSession(a.opt.Places, func(ctx context.Context) bool { return a.opt.Valid(ctx, r) })
}

// join takes one of the places for streams, which leave gives back, or returns a refusal if none is free.
func (a *API) join(r *http.Request) (leave func(), p *problem) {
	leave, err := a.opt.Places.Join(a.caller(r.Context()).ID)
	if full, ok := errors.AsType[*feed.FullError](err); ok {
		p = refuse(http.StatusTooManyRequests, "too_many_streams", full.Error())
		if full.Everywhere {
			p = refuse(http.StatusServiceUnavailable, "too_many_streams", full.Error())
		}
		return nil, p.with("Retry-After", "5")
	}
	return leave, nil
}

// beat sends a sign of life. Lines of JSON have no form for that.
func (s *stream) beat(context.Context) error {
	if !s.lines && !s.put(": alive\n\n") {
		return errGone
	}
	return nil
}

var errGone = errors.New("nobody reads any more")

// send sends a value as an event named kind; id, if any, lets a reader resume after it. It returns false
// when the reader is gone.
func (s *stream) send(kind, id string, value any) bool {
	raw, err := json.Marshal(value)
	if err != nil {
		raw = []byte(`{"code":"internal"}`) // unreachable: every value was read as JSON or consists of Go types that marshal
	}
	if s.lines {
		return s.put(string(raw) + "\n")
	}
	return s.event(kind, id, raw)
}

// event sends a server-sent event whose data is one line.
func (s *stream) event(kind, id string, data []byte) bool {
	if id != "" {
		id = "id: " + id + "\n"
	}
	return s.put(fmt.Sprintf("%sevent: %s\ndata: %s\n\n", id, kind, data))
}

func (s *stream) put(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed {
		return false
	}
	err := s.control.SetWriteDeadline(time.Now().Add(s.patience))
	if err == nil || errors.Is(err, http.ErrNotSupported) {
		_, err = s.w.Write([]byte(text))
	}
	if err == nil {
		err = s.control.Flush()
	}
	s.failed = err != nil
	return !s.failed
}

// describeStream describes the content of a stream in words, since OpenAPI 3.1 has no schema for it.
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
