package v1

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// maxRunBody limits the body of a request that starts a run, in bytes.
const maxRunBody = 1 << 20

type runIn struct {
	Run    string `path:"run" example:"rt5xk3v7q2m4n6p8s9w1y3z5a7"`
	Reveal bool   `query:"reveal" doc:"Show numbers and texts, which are masked otherwise. The token must allow it."`
}

// runs serves the runs of flows.
func (a *API) runs(e *engine.Engine) {
	serve(a, route{
		method: http.MethodGet, path: "/v1/runs", id: "listRuns", tag: "runs", summary: "Find runs, the newest first",
		about: "A page may be shorter than limit, or empty, before the end.", access: Access{Right: Read},
	}, func(ctx context.Context, in *runQuery) (*one[runList], error) { return a.listRuns(ctx, e, in) })
	serve(a, route{
		method: http.MethodGet, path: "/v1/runs/{run}", id: "getRun", tag: "runs", summary: "One run with its history",
		access: Access{Right: Read}, refusals: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *runIn) (*one[engine.History], error) {
		return a.history(ctx, e, in.Run, in.Reveal)
	})
	a.startRun(e)
	a.steps(e)
	a.repairs(e)
}

type runQuery struct {
	Flow    string    `query:"flow" doc:"Of this flow."`
	Version int       `query:"version" minimum:"1" doc:"Of this version of the flow."`
	Trial   string    `query:"trial" enum:"true,false" doc:"That try a version out, or that do not."`
	Status  string    `query:"status" enum:"queued,running,succeeded,failed,cancelled,unreadable"`
	Node    string    `query:"node" doc:"That wait at this node of the flow."`
	About   string    `query:"about" doc:"About a customer or a message: a number, a LID, an id of a message."`
	Since   time.Time `query:"since" doc:"Begun then or later."`
	Until   time.Time `query:"until" doc:"Begun before."`
	After   string    `query:"after" maxLength:"512" doc:"What the page before said as next."`
	Limit   int       `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many at most."`
	Reveal  bool      `query:"reveal" doc:"Show numbers and texts, which are masked otherwise. The token must allow it."`
}

type runList struct {
	Runs []engine.Found `json:"runs" nullable:"false"`
	more
}

func (a *API) listRuns(ctx context.Context, e *engine.Engine, in *runQuery) (*one[runList], error) {
	reveal, err := a.revealed(ctx, in.Reveal)
	if err != nil {
		return nil, err
	}
	var trial *bool
	if in.Trial != "" {
		trial = new(in.Trial == "true")
	}
	page, err := e.Runs(ctx, engine.Query{
		Trial: trial,
		Flow:  in.Flow, Version: in.Version, Status: run.Status(in.Status), Node: in.Node, About: in.About,
		Since: in.Since, Until: in.Until, After: in.After, Limit: in.Limit,
	})
	if err != nil {
		return nil, a.refused(err)
	}
	found := make([]engine.Found, len(page.Runs))
	for i, f := range page.Runs {
		if found[i] = f; !reveal {
			found[i] = f.Masked()
		}
	}
	return &one[runList]{runList{found, more{page.Next}}}, nil
}

func (a *API) history(ctx context.Context, e *engine.Engine, id string, reveal bool) (*one[engine.History], error) {
	reveal, err := a.revealed(ctx, reveal)
	if err != nil {
		return nil, err
	}
	h, err := e.History(ctx, id)
	if err != nil {
		return nil, a.refused(err)
	}
	if !reveal {
		h = h.Masked()
	}
	return &one[engine.History]{h}, nil
}

type startIn struct {
	Flow string `path:"flow" example:"menu"`
	Key  string `header:"Idempotency-Key" doc:"A repeat with the same key and body answers with the same run."`
	strict[startBody]
}

type startBody struct {
	_       struct{} `additionalProperties:"false"`
	Vars    *object  `json:"vars,omitempty" doc:"Variables in place of the flow's defaults."`
	Version int      `json:"version,omitempty" minimum:"1" doc:"Of this version and not the published one: the draft, too. The run is a trial: it gets in the way of no other, and counts for no figures."`
	Trigger string   `json:"trigger,omitempty" maxLength:"63" doc:"The id of the trigger; left out, the first of type manual."`
	Event   *object  `json:"event,omitempty" doc:"What the trigger would have seen, as the schema of its event says."`
}

type started struct {
	Location string `header:"Location"`
	Body     startedBody
}

type startedBody struct {
	Run string `json:"run" doc:"Its id."`
}

func (a *API) startRun(e *engine.Engine) {
	serve(a, route{
		method: http.MethodPost, path: "/v1/flows/{flow}/runs", id: "startRun", tag: "runs", summary: "Start a run",
		access: Access{Right: Send}, status: http.StatusCreated, body: maxRunBody, example: `{"vars":{"name":"Ana"}}`, refusals: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, func(ctx context.Context, in *startIn) (*started, error) {
		var vars map[string]any
		if in.in.Vars != nil {
			value, err := flow.DecodeJSON(in.in.Vars.JSON)
			if err != nil {
				return nil, refuse(http.StatusBadRequest, "invalid_body", "the variables cannot be read: "+err.Error(), fault{Pointer: "/vars", Code: "invalid", Message: err.Error()})
			}
			vars, _ = value.(map[string]any)
		}
		var event any
		if in.in.Event != nil {
			var err error
			if event, err = flow.DecodeJSON(in.in.Event.JSON); err != nil {
				return nil, refuse(http.StatusBadRequest, "invalid_body", "the event cannot be read: "+err.Error(), fault{Pointer: "/event", Code: "invalid", Message: err.Error()})
			}
		}
		if in.in.Version < 0 {
			return nil, refuse(http.StatusUnprocessableEntity, "invalid", "versions count from 1", fault{Pointer: "/version", Code: "minimum", Message: "versions count from 1"})
		}
		id, err := e.Run(ctx, engine.Request{Flow: in.Flow, Version: in.in.Version, Trigger: in.in.Trigger, Vars: vars, Data: event, Key: a.key(ctx, in.Key)})
		unfit, cannotRun := errors.AsType[*engine.UnfitError](err)
		bad, invalid := errors.AsType[*flow.InvalidError](err)
		switch {
		case cannotRun:
			return nil, a.refused(unfit)
		case errors.Is(err, engine.ErrNotFound):
			return nil, a.refused(err)
		case invalid && errors.Is(err, engine.ErrBadEvent):
			return nil, refuse(http.StatusUnprocessableEntity, "invalid_event", "no run can start with this event", faultsIn(bad.Findings)...)
		case invalid:
			return nil, refuse(http.StatusUnprocessableEntity, "invalid_variables", "the variables do not fit the flow", faultsIn(bad.Findings)...)
		case errors.Is(err, engine.ErrKeyUsed):
			return nil, refuse(http.StatusUnprocessableEntity, "key_reused", "the Idempotency-Key was used for another run; take another key")
		case errors.Is(err, engine.ErrUnknownFlow):
			return nil, refuse(http.StatusNotFound, "unknown_flow", "no such flow is published")
		case err != nil:
			a.logger.Error("start run", "flow", in.Flow, "err", err)
			return nil, refuse(http.StatusServiceUnavailable, "unavailable", "the run could not be started; try again").with("Retry-After", "1")
		}
		return &started{"/v1/runs/" + id, startedBody{id}}, nil
	})
}

type stepsIn struct {
	Run    string `path:"run" example:"rt5xk3v7q2m4n6p8s9w1y3z5a7"`
	Reveal bool   `query:"reveal" doc:"Show numbers and texts, which are masked otherwise. The token must allow it."`
	Accept string `header:"Accept" doc:"text/event-stream for server-sent events; otherwise lines of JSON."`
	Last   uint64 `header:"Last-Event-ID" doc:"Go on behind the step with this sequence."`
}

// steps streams a run's steps from the first kept one until the run is over, which may take days.
func (a *API) steps(e *engine.Engine) {
	serve(a, route{
		method: http.MethodGet, path: "/v1/runs/{run}/steps", id: "followRun", tag: "runs", summary: "Follow a run, step by step",
		about:  "The kept steps, then each as it comes, until the run is over or the server stops. As server-sent events each has the sequence of its step as id, so that a reader can go on where it was.",
		access: Access{Right: Read}, refusals: []int{http.StatusNotFound, http.StatusTooManyRequests},
		change: func(op *huma.Operation) {
			describeStream("The steps: events named step, or lines of JSON.", true)(op)
			op.Responses["204"] = &huma.Response{Description: "The run is over and Last-Event-ID is its last step: a browser's EventSource comes no more"}
		},
	}, func(ctx context.Context, in *stepsIn) (*streaming, error) {
		reveal, err := a.revealed(ctx, in.Reveal)
		if err != nil {
			return nil, err
		}
		if _, err := e.State(ctx, in.Run); err != nil {
			return nil, a.refused(fmt.Errorf("run %.80s: %w", in.Run, err))
		}
		if in.Last > 0 && wantsEvents(in.Accept) {
			told, err := e.Told(ctx, in.Run, in.Last)
			if err != nil {
				return nil, a.refused(err)
			}
			if told { // after any other answer a browser would reconnect again and again
				return &streaming{func(hc huma.Context) { hc.SetStatus(http.StatusNoContent) }}, nil
			}
		}
		return a.stream(!wantsEvents(in.Accept), func(ctx context.Context, s *stream) {
			for step, err := range e.Follow(ctx, in.Run) {
				if err != nil {
					a.logger.Warn("steps of a run cannot be read", "run", in.Run, "err", err)
					return
				}
				if step.Sequence <= in.Last {
					continue
				}
				if !reveal {
					step = step.Masked()
				}
				if !s.send("step", strconv.FormatUint(step.Sequence, 10), step) {
					return
				}
			}
		}), nil
	})
}
