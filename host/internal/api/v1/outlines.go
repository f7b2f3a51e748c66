package v1

import (
	"context"
	"errors"
	"net/http"
	"sort"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// flowSteps are the steps of one flow.
type flowSteps struct {
	Flow    string          `json:"flow"`
	Name    string          `json:"name,omitempty"`
	Version int             `json:"version"`
	State   string          `json:"state" enum:"published,draft,retired"`
	Steps   []flow.Outlined `json:"steps" nullable:"false"`
}

type stepList struct {
	Flows []flowSteps `json:"flows" nullable:"false"`
	more
}

// outlines serves the steps of all flows, so that a client can find the ones that contain a word or name
// an instance.
func (a *API) outlines(e *engine.Engine) {
	serve(a, route{
		method: http.MethodGet, path: "/v1/steps", id: "listSteps", tag: "flows", summary: "The steps of all flows, flow by flow",
		about:  "Each flow by the version that starts runs, or else its draft, or else the newest. What cannot be read has no steps.",
		access: Access{Right: Read},
	}, func(ctx context.Context, in *struct {
		After string `query:"after" maxLength:"512" doc:"What the page before said as next."`
		Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many flows at most."`
	}) (*one[stepList], error) {
		all, err := e.Flows(ctx, "")
		if err != nil {
			return nil, a.refused(err)
		}
		from := sort.Search(len(all), func(i int) bool { return all[i].Flow > in.After })
		out := stepList{Flows: []flowSteps{}}
		for _, l := range all[from:] {
			if len(out.Flows) == in.Limit {
				out.Next = out.Flows[in.Limit-1].Flow
				break
			}
			v, err := e.Version(ctx, l.Flow, l.Number)
			if errors.Is(err, engine.ErrNotFound) { // gone meanwhile
				continue
			}
			if err != nil {
				return nil, a.refused(err)
			}
			out.Flows = append(out.Flows, flowSteps{l.Flow, l.Name, l.Number, string(l.State), orNone(a.opt.Catalogue.Outline(v.Source))})
		}
		return &one[stepList]{out}, nil
	})
}
