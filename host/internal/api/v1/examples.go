package v1

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/tapnode/tapnode/examples/flows"
	"github.com/tapnode/tapnode/host/internal/flow"
)

type example struct {
	ID      string   `json:"id" doc:"Of the flow."`
	Name    string   `json:"name"`
	Summary string   `json:"summary" doc:"What it shows."`
	Source  string   `json:"source" doc:"The flow file: keep it as the draft of the flow with this id."`
	People  []string `json:"people" nullable:"false" doc:"The numbers it writes to: people whom a simulated WhatsApp must have."`
	Start   object   `json:"start" doc:"What a run on the simulated phone begins with: add version, that of the draft, and give it to POST /v1/flows/{flow}/runs."`
}

type exampleList struct {
	Examples []example `json:"examples" nullable:"false"`
}

// examples serves the example flows.
func (a *API) examples() {
	list := exampleList{Examples: []example{}}
	for _, e := range flows.All() {
		shown := example{ID: e.ID, Name: flow.Name([]byte(e.Source)), Summary: e.Summary, Source: e.Source, People: orNone(e.People)}
		shown.Start.JSON = []byte(e.Start)
		if a.opt.Picture != "" && strings.Contains(e.Source, "${ vars.mediaUrl }") {
			shown.Start.JSON = fmt.Appendf(nil, `{"vars":{"mediaUrl":%q}}`, a.opt.Picture)
		}
		list.Examples = append(list.Examples, shown)
	}
	serve(a, route{
		method: http.MethodGet, path: "/v1/examples", id: "listExamples", tag: "flows", summary: "Flows to begin with, each of which runs on the simulated phone",
		access: Access{Right: Read},
	}, func(context.Context, *struct{}) (*one[exampleList], error) { return &one[exampleList]{list}, nil })
}
