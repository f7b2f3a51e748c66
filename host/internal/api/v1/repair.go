package v1

import (
	"context"
	"net/http"

	"github.com/tapnode/tapnode/host/internal/engine"
)

type cancelIn struct {
	Run    string `path:"run" example:"rt5xk3v7q2m4n6p8s9w1y3z5a7"`
	Reveal bool   `query:"reveal" doc:"Show numbers and texts, which are masked otherwise. The token must allow it."`
	strict[cancelBody]
}

type cancelBody struct {
	_      struct{} `additionalProperties:"false"`
	Reason string   `json:"reason,omitempty" doc:"Shown with the run."`
}

type resumeIn struct {
	Run    string `path:"run" example:"rt5xk3v7q2m4n6p8s9w1y3z5a7"`
	Reveal bool   `query:"reveal" doc:"Show numbers and texts, which are masked otherwise. The token must allow it."`
	strict[resumeBody]
}

type resumeBody struct {
	_     struct{} `additionalProperties:"false"`
	Visit int      `json:"visit,omitempty" doc:"Of one visit of a node; left out, of all."`
}

// repairs serves the manual interventions in a run. Each answers with the run's history afterwards.
func (a *API) repairs(e *engine.Engine) {
	repair := func(verb, summary string) route {
		return route{
			method: http.MethodPost, path: "/v1/runs/{run}/" + verb, id: verb + "Run", tag: "runs", summary: summary,
			access: Access{Right: Manage}, body: smallBody, example: `{}`, refusals: []int{http.StatusNotFound, http.StatusConflict}, acts: always,
		}
	}
	then := func(ctx context.Context, run string, reveal bool, act func() error) (*one[engine.History], error) {
		if _, err := a.revealed(ctx, reveal); err != nil { // before anything happens
			return nil, err
		}
		if err := act(); err != nil {
			return nil, a.refused(err)
		}
		return a.history(ctx, e, run, reveal)
	}
	cancel := repair("cancel", "End a run")
	cancel.example = `{"reason":"the customer called"}`
	serve(a, cancel, func(ctx context.Context, in *cancelIn) (*one[engine.History], error) {
		return then(ctx, in.Run, in.Reveal, func() error { return e.Cancel(ctx, in.Run, in.in.Reason) })
	})
	serve(a, repair("retry", "Go on where a run failed"), func(ctx context.Context, in *runIn) (*one[engine.History], error) {
		return then(ctx, in.Run, in.Reveal, func() error { return e.Retry(ctx, in.Run) })
	})
	serve(a, repair("resume", "Let come now what a run waits for by time"), func(ctx context.Context, in *resumeIn) (*one[engine.History], error) {
		return then(ctx, in.Run, in.Reveal, func() error { return e.Resume(ctx, in.Run, in.in.Visit) })
	})
}
