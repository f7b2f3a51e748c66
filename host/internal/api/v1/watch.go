package v1

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/host/internal/feed"
)

const (
	// maxWatched is how many runs, and how many flows, one stream watches.
	maxWatched = 20
	// lookAtFlows is how often a stream checks whether flows have changed, on any host.
	lookAtFlows = time.Second
)

type watchIn struct {
	Runs   []string `query:"run" doc:"Steps of these runs, with commas between."`
	Flows  []string `query:"flow" doc:"Steps of all runs of these flows, and changes of their versions, with commas between."`
	After  uint64   `query:"after" doc:"The sequence of the last step that the reader has; left out, only what comes."`
	Last   uint64   `header:"Last-Event-ID" doc:"The same; it counts more."`
	Reveal bool     `query:"reveal" doc:"Show numbers and texts, which are masked otherwise. The token must allow it."`
}

// watch serves everything that a page watches as one stream, because browsers open no more than six
// connections to a host.
func (a *API) watch(e *engine.Engine) {
	serve(a, route{
		method: http.MethodGet, path: "/v1/watch", id: "watch", tag: "events", summary: "Everything that a page watches, as one stream of server-sent events",
		about: "opened: from which sequence steps are told. step: one of a run, with its sequence as id, so that a reader goes on where it was. gap: steps are gone before they were told: read the runs anew. " +
			"flow: how a flow's versions stand, at the beginning and after each change. instance: an instance has another state, as schemas/events/whatsapp.instance.state.v1.json has it. end: why the stream ends.",
		access: Access{Right: Read}, refusals: []int{http.StatusBadRequest, http.StatusTooManyRequests},
		change: describeStream("The events.", false),
	}, func(ctx context.Context, in *watchIn) (*streaming, error) {
		reveal, err := a.revealed(ctx, in.Reveal)
		if err != nil {
			return nil, err
		}
		if len(in.Runs) > maxWatched || len(in.Flows) > maxWatched {
			message := fmt.Sprintf("a stream watches at most %d runs and %d flows", maxWatched, maxWatched)
			return nil, refuse(http.StatusBadRequest, "invalid_request", message, fault{Parameter: "run", Code: "invalid", Message: message})
		}
		if in.Last > 0 {
			in.After = in.Last
		}
		if in.After == 0 {
			if in.After, err = e.Newest(ctx); err != nil {
				return nil, a.refused(err)
			}
		}
		w := watcher{api: a, engine: e, in: in, reveal: reveal}
		return &streaming{func(hc huma.Context) { w.serve(hc) }}, nil
	})
}

// watcher serves one stream of GET /v1/watch.
type watcher struct {
	api    *API
	engine *engine.Engine
	in     *watchIn
	reveal bool
}

func (w watcher) serve(hc huma.Context) {
	r, out := humago.Unwrap(hc)
	var states *feed.Reader
	if tail := w.api.opt.Feed; tail != nil {
		var err error
		if states, err = tail.Open(r.Context(), feed.Want{Filter: events.Filter{Types: []string{events.TypeState}}, Masked: !w.reveal}); err != nil {
			write(out, w.api.unread(err))
			return
		}
		defer states.Close()
	}
	w.api.stream(false, func(ctx context.Context, s *stream) {
		ctx, cancel := context.WithCancel(ctx)
		var parts sync.WaitGroup
		part := func(tell func(context.Context, *stream) error) {
			parts.Go(func() {
				defer cancel() // a stream without one of its parts ends, and the reader reconnects
				if err := tell(ctx, s); err != nil && ctx.Err() == nil {
					w.api.logger.Warn("a watched stream ends", "err", err)
				}
			})
		}
		s.send("opened", strconv.FormatUint(w.in.After, 10), map[string]uint64{"sequence": w.in.After})
		if len(w.in.Runs)+len(w.in.Flows) > 0 {
			part(w.steps)
		}
		if len(w.in.Flows) > 0 {
			part(w.flows)
		}
		if states != nil {
			part(func(ctx context.Context, s *stream) error { return instancesTo(ctx, s, states) })
		}
		<-ctx.Done()
		parts.Wait()
		cancel()
		s.farewell(context.Cause(ctx))
	}).Body(hc)
}

// steps sends the steps of the watched runs and flows in the order of their sequences.
func (w watcher) steps(ctx context.Context, s *stream) error {
	one := ""
	if len(w.in.Runs) == 1 && len(w.in.Flows) == 0 {
		one = w.in.Runs[0]
	}
	for step, err := range w.engine.Watch(ctx, one, w.in.After) {
		switch {
		case errors.Is(err, engine.ErrLagged):
			if !s.send("gap", "", map[string]uint64{"after": w.in.After}) {
				return nil
			}
			continue
		case err != nil:
			return err
		case !slices.Contains(w.in.Runs, step.Run) && !slices.Contains(w.in.Flows, step.Flow):
			continue
		case !w.reveal:
			step = step.Masked()
		}
		if !s.send("step", strconv.FormatUint(step.Sequence, 10), step) {
			return nil
		}
	}
	return nil
}

// flowState is the state of a flow's versions.
type flowState struct {
	Flow     string           `json:"flow"`
	ETag     string           `json:"etag"` // the same as that of the list of its versions
	Versions []engine.Version `json:"versions"`
}

// flows sends the state of each watched flow at the beginning and after each change.
func (w watcher) flows(ctx context.Context, s *stream) error {
	told := map[string]string{}
	tick := time.NewTicker(lookAtFlows)
	defer tick.Stop()
	for {
		for _, id := range w.in.Flows {
			all, err := w.engine.Versions(ctx, id)
			if err != nil && !errors.Is(err, engine.ErrNotFound) {
				return err
			}
			if tag := versionsTag(all); tag != told[id] {
				if told[id] = tag; !s.send("flow", "", flowState{id, tag, orNone(all)}) {
					return nil
				}
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// instancesTo sends the new state of an instance whenever it changes.
func instancesTo(ctx context.Context, s *stream, states *feed.Reader) error {
	for {
		frames, err := states.Next(ctx)
		if err != nil {
			return err
		}
		for _, f := range frames {
			var event struct {
				Data json.RawMessage `json:"data"`
			}
			if err := json.Unmarshal(f.Body, &event); err != nil {
				return err
			}
			if !s.event("instance", "", event.Data) {
				return nil
			}
		}
	}
}
