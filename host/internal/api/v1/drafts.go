package v1

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// saved is the outcome of saving a draft.
type saved struct {
	engine.Version
	New      bool           `json:"new" doc:"False when it is as it was, or what is published."`
	Valid    bool           `json:"valid" doc:"It can run, and be published."`
	Findings []flow.Finding `json:"findings" nullable:"false" doc:"All that is wrong with it, and warnings."`
}

type draftIn struct {
	Flow        string `path:"flow" example:"menu"`
	IfMatch     string `header:"If-Match" doc:"The ETag of the draft that this one is made from: 412 if it is another one now."`
	IfNoneMatch string `header:"If-None-Match" enum:"*" doc:"With *: 412 if there is a draft."`
	source
}

// drafts serves the drafts of flows to their editors.
func (a *API) drafts(f Flows, e *engine.Engine) {
	serve(a, a.takesFile(saved{}, http.MethodPut, "/v1/flows/{flow}/draft", "saveDraft", "Keep a draft of a flow",
		"It starts no runs. What cannot run yet, or is no YAML at all, is kept, too, and the findings say why. Two that edit at the same time: the second gets a 412 if it sends the ETag it began with.",
		http.StatusConflict, http.StatusPreconditionFailed), func(ctx context.Context, in *draftIn) (*made[saved], error) { return a.saveDraft(ctx, f, e, in) })
	serve(a, route{
		method: http.MethodGet, path: "/v1/flows/{flow}/draft", id: "getDraft", tag: "flows", summary: "The file of a flow's draft",
		access: Access{Right: Read}, refusals: []int{http.StatusNotModified, http.StatusNotFound},
	}, func(ctx context.Context, in *flowIn) (*file, error) {
		draft, err := a.draft(ctx, e, in.Flow)
		if err != nil {
			return nil, a.refused(err)
		}
		return fileOf(draft, in.IfNoneMatch)
	})
	serve(a, route{
		method: http.MethodDelete, path: "/v1/flows/{flow}/draft", id: "dropDraft", tag: "flows", summary: "Forget the draft of a flow",
		about: "Runs that it was tried with go on.", access: Access{Right: Manage}, refusals: []int{http.StatusNotFound, http.StatusPreconditionFailed},
	}, func(ctx context.Context, in *struct {
		Flow    string `path:"flow" example:"menu"`
		IfMatch string `header:"If-Match" doc:"The ETag of the draft: 412 if it is another one now."`
	}) (*struct{}, error) {
		a.changing.Lock()
		defer a.changing.Unlock()
		if err := a.seen(ctx, e, in.Flow, in.IfMatch, ""); err != nil {
			return nil, err
		}
		return nil, a.refused(e.DropDraft(ctx, in.Flow))
	})
}

// flowID matches a valid id of a flow, as schemas/flow.json defines it.
var flowID = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

func (a *API) saveDraft(ctx context.Context, f Flows, e *engine.Engine, in *draftIn) (*made[saved], error) {
	if !flowID.MatchString(in.Flow) {
		const rule = "a flow is called by a small letter and up to 62 small letters, digits, _ and -"
		return nil, refuse(http.StatusUnprocessableEntity, "invalid_id", rule, fault{Parameter: "flow", Code: "invalid_id", Message: rule})
	}
	a.changing.Lock()
	defer a.changing.Unlock()
	if err := a.seen(ctx, e, in.Flow, in.IfMatch, in.IfNoneMatch); err != nil {
		return nil, err
	}
	before, err := a.draft(ctx, e, in.Flow)
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		return nil, a.refused(err)
	}
	v, program, findings, err := f.Draft(ctx, in.Flow, a.by(ctx), in.file)
	if err != nil {
		return nil, a.refused(err)
	}
	out := &made[saved]{http.StatusOK, tagOf(string(in.file)), saved{v, v.State == engine.Draft && string(before.Source) != string(in.file), program != nil, orNone(findings)}}
	if out.Body.New {
		out.Status = http.StatusCreated
	}
	return out, nil
}

// draft returns the draft of a flow with its file.
func (a *API) draft(ctx context.Context, e *engine.Engine, id string) (engine.Version, error) {
	all, err := e.Versions(ctx, id)
	if err != nil {
		return engine.Version{}, err
	}
	draft, err := draftOf(all)
	if err != nil {
		return engine.Version{}, err
	}
	return e.Version(ctx, id, draft.Number)
}

// seen refuses a change when the draft has changed since the caller read it (If-Match), or when there
// already is one (If-None-Match: *).
func (a *API) seen(ctx context.Context, e *engine.Engine, id, ifMatch, ifNoneMatch string) error {
	if ifMatch == "" && ifNoneMatch == "" {
		return nil
	}
	draft, err := a.draft(ctx, e, id)
	if errors.Is(err, engine.ErrNotFound) {
		return unchanged(ifMatch, "")
	}
	if err != nil {
		return a.refused(err)
	}
	tag := tagOf(string(draft.Source))
	if matches(ifMatch, tag) {
		return nil
	}
	return refuse(http.StatusPreconditionFailed, "changed", fmt.Sprintf("it was changed meanwhile, at %s by %s: read it again, and change that",
		draft.Changed.Format(time.RFC3339), cmp.Or(draft.By, "somebody"))).with("ETag", tag)
}

// by returns the name to record as the author of a change.
func (a *API) by(ctx context.Context) string {
	if a.opt.HolderOf == nil {
		return ""
	}
	holder := a.opt.HolderOf(ctx)
	return cmp.Or(holder.Name, holder.ID)
}
