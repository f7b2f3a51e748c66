package v1

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/host/internal/feed"
)

// maxNames limits the length of each list in a filter.
const maxNames = 50

type eventsIn struct {
	Types     []string `query:"type" doc:"Only these types, with commas between; with shape=seed also the seed's names."`
	Instances []string `query:"instance" doc:"Only events of these instances, with commas between. Events of runs are of none."`
	Shape     string   `query:"shape" enum:"cloudevents,seed" default:"cloudevents"`
	After     string   `query:"after" maxLength:"30" doc:"The sequence of the last event that the reader has; 0 is before the oldest that is kept. Left out, a page begins with the oldest and a stream with what comes."`
	Last      string   `header:"Last-Event-ID" doc:"The same for server-sent events; it counts more."`
	Limit     int      `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many at most, of a page."`
	Reveal    bool     `query:"reveal" doc:"Show numbers and texts, which are masked otherwise. The token must allow it."`
	Accept    string   `header:"Accept" doc:"text/event-stream for a stream; otherwise a page."`
	Upgrade   string   `header:"Upgrade" doc:"websocket for a socket."`
}

// eventPage is a page of the outbox.
type eventPage struct {
	Events []json.RawMessage `json:"events" nullable:"false" doc:"Each as schemas/events/cloudevent.json or seed.json says. One of type stream.gap.v1 stands for those that are gone."`
	Next   string            `json:"next" doc:"Go on after this. It is there at the end, too: ask again later."`
	More   bool              `json:"more" doc:"There may be more now. A page may be shorter than limit, or empty, before the end."`
}

// events serves the outbox to readers.
func (a *API) events(tail *feed.Tail) {
	serve(a, route{
		method: http.MethodGet, path: "/v1/events", id: "readEvents", tag: "events", summary: "Read events: by the page, as server-sent events or over a WebSocket",
		about: "Each event has a sequence; a reader that names the last one it has goes on behind it without a gap, whatever was restarted. Streams and sockets begin with an event of type stream.opened.v1, " +
			"and one of type stream.gap.v1 says what was removed before it was read. Numbers and texts are masked unless reveal is true. /v1/asyncapi.json describes the messages. A browser sends its token for a WebSocket as subprotocol, bearer.{token}, beside " + feed.Subprotocol + ".",
		access: Access{Read, Any}, refusals: []int{http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable},
		change: func(op *huma.Operation) {
			op.Responses["200"] = &huma.Response{Description: "A page, or the stream", Content: map[string]*huma.MediaType{
				jsonType: {Schema: a.schemaOf(eventPage{})}, eventStream: {Schema: &huma.Schema{Type: "string"}},
			}}
			op.Responses["101"] = &huma.Response{Description: "A WebSocket that gets one event in each message"}
		},
	}, func(ctx context.Context, in *eventsIn) (*streaming, error) {
		reveal, err := a.revealed(ctx, in.Reveal)
		if err != nil {
			return nil, err
		}
		want, p := a.wanted(ctx, in)
		want.Masked = !reveal
		switch {
		case p != nil:
			return nil, p
		case strings.EqualFold(in.Upgrade, "websocket"):
			return a.eventSocket(tail, want), nil
		case wantsEvents(in.Accept):
			return a.eventStream(tail, want), nil
		}
		return a.eventPage(tail, want, in.Limit), nil
	})
}

// wanted returns the events that a request asks for, or a refusal if the caller may not have them.
func (a *API) wanted(ctx context.Context, in *eventsIn) (feed.Want, *problem) {
	bad := func(parameter, format string, args ...any) *problem {
		message := fmt.Sprintf(format, args...)
		return refuse(http.StatusBadRequest, "invalid_request", "the request is not what this takes: "+message, fault{Parameter: parameter, Code: "invalid", Message: message})
	}
	w := feed.Want{Filter: events.Filter{Instances: in.Instances}, Opened: true}
	if in.Shape == "seed" {
		w.Shape = feed.Seed
	}
	if len(in.Types) > maxNames || len(in.Instances) > maxNames {
		return w, bad("type", "at most %d types and instances", maxNames)
	}
	for _, name := range in.Types {
		if !events.Known(name) {
			return w, bad("type", "no event is called %.80q; GET /v1/asyncapi.json lists all", name)
		}
	}
	if w.Shape == feed.Seed && len(in.Types) > 0 {
		w.Passes = func(kind, name string) bool {
			return slices.Contains(in.Types, kind) || slices.Contains(in.Types, name)
		}
	} else {
		w.Types = in.Types
	}
	for parameter, text := range map[string]string{"after": in.After, "Last-Event-ID": in.Last} {
		if text == "" || parameter == "after" && in.Last != "" {
			continue
		}
		after, err := feed.ParseSequence(text)
		if err != nil {
			return w, bad(parameter, "%s", err)
		}
		w.After = &after
	}
	caller := a.caller(ctx)
	for _, name := range in.Instances {
		if !caller.may(name) {
			return w, refuse(http.StatusForbidden, "forbidden", fmt.Sprintf("the token is not one for the instance %.80q", name))
		}
	}
	if caller.Instances != nil && len(in.Instances) == 0 {
		if w.Instances = caller.Instances; len(w.Instances) == 0 {
			return w, refuse(http.StatusForbidden, "forbidden", "the token is of no instance")
		}
	}
	return w, nil
}

// unread logs an error of the outbox and returns a problem for the caller.
func (a *API) unread(err error) *problem {
	a.logger.Error("the outbox cannot be read", "err", err)
	return refuse(http.StatusServiceUnavailable, "unavailable", "the events cannot be read now; try again").with("Retry-After", "1")
}

func (a *API) eventPage(tail *feed.Tail, w feed.Want, limit int) *streaming {
	return &streaming{func(hc huma.Context) {
		r, out := humago.Unwrap(hc)
		frames, next, more, err := tail.Page(r.Context(), w, limit)
		if err != nil {
			write(out, a.unread(err))
			return
		}
		page := eventPage{Events: make([]json.RawMessage, len(frames)), Next: next, More: more}
		for i, f := range frames {
			page.Events[i] = f.Body
		}
		hc.SetHeader("Content-Type", jsonType)
		_ = a.huma.Marshal(hc.BodyWriter(), jsonType, page) // fails only when the client is gone
	}}
}

func (a *API) eventStream(tail *feed.Tail, w feed.Want) *streaming {
	return &streaming{func(hc huma.Context) {
		r, out := humago.Unwrap(hc)
		reader, err := tail.Open(r.Context(), w)
		if err != nil {
			write(out, a.unread(err))
			return
		}
		defer reader.Close()
		a.stream(false, func(ctx context.Context, s *stream) {
			for {
				frames, err := reader.Next(ctx)
				if err != nil {
					s.farewell(err)
					return
				}
				for _, f := range frames {
					if !s.event("message", f.Sequence, f.Body) {
						return
					}
				}
			}
		}).Body(hc)
	}}
}

// farewell tells the reader why the stream ends and when to reconnect.
func (s *stream) farewell(err error) {
	code, reason, retryAfter := feed.Farewell(err)
	if code == "" {
		return
	}
	if retryAfter > 0 {
		s.put(fmt.Sprintf("retry: %d\n", retryAfter*1000))
	}
	s.send("end", "", map[string]any{"code": code, "message": reason, "retryAfter": retryAfter})
}

func (a *API) eventSocket(tail *feed.Tail, w feed.Want) *streaming {
	return &streaming{func(hc huma.Context) {
		r, out := humago.Unwrap(hc)
		if !feed.Allowed(r, a.opt.Origins) {
			write(out, refuse(http.StatusForbidden, "forbidden", "pages of this origin may not open sockets; start the host with --origin to let them"))
			return
		}
		leave, p := a.join(r)
		if p != nil {
			write(out, p)
			return
		}
		defer leave()
		reader, err := tail.Open(r.Context(), w)
		if err != nil {
			write(out, a.unread(err))
			return
		}
		defer reader.Close()
		a.session(r).Socket(out, r, reader)
	}}
}
