package v1

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// source is a body that is a flow file.
type source struct{ file []byte }

var fileTypes = []string{"application/yaml", jsonType, "text/yaml", "text/plain"}

func (*source) describe(huma.Registry) *huma.RequestBody {
	content := map[string]*huma.MediaType{}
	for _, kind := range fileTypes {
		content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: "string", Description: "A flow file, YAML or JSON: schemas/flow.json."}}
	}
	return &huma.RequestBody{Required: true, Content: content}
}

func (s *source) read(body []byte) *problem {
	s.file = body
	return nil
}

// file is an answer that is a flow file.
type file struct {
	ETag string `header:"ETag"`
	Type string `header:"Content-Type"`
	Body []byte
}

const exampleFlow = `apiVersion: flow/v1
kind: Flow
metadata: {id: menu}
triggers: [{id: start, type: manual, to: hello}]
nodes: [{id: hello, type: log@1, with: {message: hello}}]
`

// takesFile returns a route whose body is a flow file; fresh is of the type of its answer to a new file.
func (a *API) takesFile(fresh any, method, path, id, summary, about string, refusals ...int) route {
	return route{
		method: method, path: path, id: id, tag: "flows", summary: summary, about: about, access: Access{Right: Manage},
		body: flow.MaxSize + 1, example: exampleFlow, types: fileTypes, refusals: append(refusals, http.StatusUnprocessableEntity), // a file one byte too large is read, and reported as a finding
		change: func(op *huma.Operation) {
			op.Responses["201"] = &huma.Response{Description: "It is new", Content: map[string]*huma.MediaType{jsonType: {Schema: a.schemaOf(fresh)}}}
		},
	}
}

// sources serves publishing, checking and reading flow files.
func (a *API) sources(f Flows, e *engine.Engine) {
	publish := a.takesFile(Published{}, http.MethodPost, "/v1/flows", "publishFlow", "Publish a flow file", "It starts runs at once; runs of earlier versions go on as they began. With draft=true it is only kept.")
	publish.acts = always
	serve(a, publish, func(ctx context.Context, in *struct {
		Draft bool `query:"draft" doc:"Only keep it, in the place of the flow's draft."`
		source
	}) (*made[Published], error) {
		a.changing.Lock()
		defer a.changing.Unlock()
		if !in.Draft {
			p, err := f.Publish(ctx, in.file)
			return published(p), a.refused(err)
		}
		program, _, err := f.Check(in.file)
		if err != nil {
			return nil, a.refused(err)
		}
		v, _, findings, err := f.Draft(ctx, program.Flow().Metadata.ID, a.by(ctx), in.file)
		return published(Published{v, v.State == engine.Draft, findings}), a.refused(err)
	})
	check := a.takesFile(Published{}, http.MethodPost, "/v1/flows/validate", "checkFlow", "Check a flow file", "Keeps nothing. What is wrong with the file is in the answer, which is a 200 either way.")
	check.access, check.refusals, check.change = Access{Right: Read}, nil, nil
	serve(a, check, func(_ context.Context, in *struct{ source }) (*one[checked], error) {
		program, findings, err := f.Check(in.file)
		out := checked{Findings: orNone(findings)}
		if bad, ok := errors.AsType[*flow.InvalidError](err); ok {
			out.Findings = bad.Findings
			return &one[checked]{out}, nil
		}
		if err != nil {
			return nil, a.refused(err)
		}
		out.Valid, out.Flow, out.Digest = true, program.Flow().Metadata.ID, program.Flow().Digest
		return &one[checked]{out}, nil
	})
	serve(a, route{
		method: http.MethodGet, path: "/v1/flows/{flow}/versions/{version}/source", id: "getSource", tag: "flows", summary: "The file of a version, as it was sent",
		access: Access{Right: Read}, refusals: []int{http.StatusNotModified, http.StatusNotFound},
	}, func(ctx context.Context, in *struct {
		Flow        string `path:"flow" example:"menu"`
		Version     int    `path:"version" minimum:"1" example:"1"`
		IfNoneMatch string `header:"If-None-Match" doc:"The ETag of what the caller has: 304 if it is still so."`
	}) (*file, error) {
		return a.file(ctx, e, in.Flow, in.Version, in.IfNoneMatch)
	})
}

type checked struct {
	Valid    bool           `json:"valid"`
	Flow     string         `json:"flow,omitempty" doc:"Its id."`
	Digest   string         `json:"digest,omitempty" doc:"Of its content, without layout."`
	Findings []flow.Finding `json:"findings" nullable:"false"`
}

// made is an answer with a resource that is new (201) or was there already (200).
type made[T any] struct {
	Status int
	ETag   string `header:"ETag"`
	Body   T
}

func published(p Published) *made[Published] {
	out := &made[Published]{Status: http.StatusOK, ETag: tagOf(string(p.Source)), Body: p}
	if p.New {
		out.Status = http.StatusCreated
	}
	return out
}

func (a *API) file(ctx context.Context, e *engine.Engine, id string, number int, ifNoneMatch string) (*file, error) {
	v, err := e.Version(ctx, id, number)
	if err != nil {
		return nil, a.refused(err)
	}
	return fileOf(v, ifNoneMatch)
}

func fileOf(v engine.Version, ifNoneMatch string) (*file, error) {
	tag := tagOf(string(v.Source))
	if err := notModified(ifNoneMatch, tag); err != nil {
		return nil, err
	}
	return &file{tag, "text/plain; charset=utf-8", v.Source}, nil
}
