package v1

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

type waitQuery struct {
	Flow   string `query:"flow" doc:"Of runs of this flow."`
	Node   string `query:"node" doc:"At this node of the flow."`
	About  string `query:"about" doc:"Of runs about a customer or a message: a number, a LID, an id of a message."`
	After  string `query:"after" maxLength:"512" doc:"What the page before said as next."`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many runs to look at, at most."`
	Reveal bool   `query:"reveal" doc:"Show numbers, which are masked otherwise. The token must allow it."`
}

// wait is a place where a run waits for somebody.
type wait struct {
	Run      string    `json:"run"`
	Flow     string    `json:"flow"`
	Version  int       `json:"version"`
	Node     string    `json:"node"`
	Visit    int       `json:"visit" doc:"Which visit of the node it is; resume takes it."`
	Offered  []string  `json:"offered,omitempty" doc:"Ports that an answer can pick."`
	Deadline time.Time `json:"deadline,omitzero" doc:"When the wait ends without an answer; left out while the message is being sent."`
	About    []string  `json:"about,omitempty"`
}

type waitList struct {
	Waits []wait `json:"waits" nullable:"false"`
	more
}

// waits serves the places at which runs wait.
func (a *API) waits(e *engine.Engine) {
	serve(a, route{
		method: http.MethodGet, path: "/v1/waits", id: "listWaits", tag: "runs", summary: "What runs wait for, those of the newest runs first",
		about:  "The waits of one run come together. A page may be empty before the end.",
		access: Access{Right: Read},
	}, func(ctx context.Context, in *waitQuery) (*one[waitList], error) {
		reveal, err := a.revealed(ctx, in.Reveal)
		if err != nil {
			return nil, err
		}
		page, err := e.Runs(ctx, engine.Query{Flow: in.Flow, Status: run.StatusRunning, Node: in.Node, About: in.About, After: in.After, Limit: in.Limit})
		if err != nil {
			return nil, a.refused(err)
		}
		out := waitList{Waits: []wait{}, more: more{page.Next}}
		for _, found := range page.Runs {
			if len(found.Waits) == 0 {
				continue
			}
			s, err := e.State(ctx, found.Run)
			if errors.Is(err, engine.ErrNotFound) { // deleted meanwhile
				continue
			}
			if err != nil {
				return nil, a.refused(err)
			}
			if !reveal {
				found = found.Masked()
			}
			out.Waits = append(out.Waits, waitsOf(found, s, in.Node)...)
		}
		return &one[waitList]{out}, nil
	})
}

// waitsOf returns the waits of a run; if node is not empty, only those at that node.
func waitsOf(found engine.Found, s run.State, node string) []wait {
	var out []wait
	for _, v := range s.Visits {
		if v.Wait == run.WaitArmed && (node == "" || v.Node == node) {
			out = append(out, wait{found.Run, found.Flow, found.Version, v.Node, v.N, v.Offered, v.Deadline, found.About})
		}
	}
	return out
}
