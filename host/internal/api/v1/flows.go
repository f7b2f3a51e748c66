package v1

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// Published is the outcome of publishing a flow file or of keeping it as a draft.
type Published struct {
	engine.Version
	// New is false if nothing had to change.
	New      bool           `json:"new"`
	Findings []flow.Finding `json:"findings,omitempty"` // warnings
}

// Flows changes which versions of flows exist, and which of them start runs.
type Flows interface {
	// Publish keeps a flow file as a version that starts runs from now on. A *flow.InvalidError says what
	// is wrong with the file.
	Publish(ctx context.Context, source []byte) (Published, error)
	// Draft keeps a flow file as the flow's draft, which starts no runs, and says what is wrong with it.
	// The program is nil if the file cannot run. Only a file that is too large is refused.
	Draft(ctx context.Context, id, by string, source []byte) (engine.Version, *flow.Program, []flow.Finding, error)
	// Check reads a flow file and keeps nothing. A *flow.InvalidError says what is wrong with the file;
	// the findings are warnings.
	Check(source []byte) (*flow.Program, []flow.Finding, error)
	// Restore publishes a version that is already kept.
	Restore(ctx context.Context, id string, number int) (Published, error)
	// Retire makes a flow start no more runs.
	Retire(ctx context.Context, id string) error
	// Diff compares two versions. 0 as older means the published version, 0 as newer the newest one.
	Diff(ctx context.Context, id string, older, newer int) ([]flow.Change, error)
}

type flowIn struct {
	Flow        string `path:"flow" example:"menu"`
	IfNoneMatch string `header:"If-None-Match" doc:"The ETag of what the caller has: 304 if it is still so."`
}

type flowList struct {
	Flows []engine.Listed `json:"flows" nullable:"false" doc:"Each by the version that starts runs, or else its draft, or else the newest."`
}

type versionList struct {
	Versions []engine.Version `json:"versions" nullable:"false" doc:"All that are kept, the newest first."`
}

// tagged is an answer with an ETag.
type tagged[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

// flows serves the flows and their versions.
func (a *API) flows(f Flows, e *engine.Engine) {
	serve(a, route{
		method: http.MethodGet, path: "/v1/flows", id: "listFlows", tag: "flows", summary: "The flows: those that start runs, or others", access: Access{Right: Read},
	}, func(ctx context.Context, in *struct {
		State string `query:"state" enum:"published,draft,retired,all" default:"published" doc:"Those with a published version, with a draft, with a retired and no published one, or all."`
	}) (*one[flowList], error) {
		all, err := e.Flows(ctx, engine.VersionState(strings.TrimPrefix(in.State, "all")))
		return &one[flowList]{flowList{orNone(all)}}, a.refused(err)
	})
	serve(a, route{
		method: http.MethodGet, path: "/v1/flows/{flow}/versions", id: "listVersions", tag: "flows", summary: "The versions of a flow",
		about:  "The ETag changes whenever a version comes, goes, or gets another state.",
		access: Access{Right: Read}, refusals: []int{http.StatusNotModified, http.StatusNotFound},
	}, func(ctx context.Context, in *flowIn) (*tagged[versionList], error) {
		all, tag, err := a.versions(ctx, e, in.Flow)
		if err == nil {
			err = notModified(in.IfNoneMatch, tag)
		}
		return &tagged[versionList]{tag, versionList{orNone(all)}}, err
	})
	serve(a, route{
		method: http.MethodGet, path: "/v1/flows/{flow}/diff", id: "diffVersions", tag: "flows", summary: "How two versions differ, in words",
		access: Access{Right: Read}, refusals: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *struct {
		Flow string `path:"flow" example:"menu"`
		From int    `query:"from" minimum:"1" doc:"Left out, what is published."`
		To   int    `query:"to" minimum:"1" doc:"Left out, the newest."`
	}) (*one[diff], error) {
		changes, err := f.Diff(ctx, in.Flow, in.From, in.To)
		return &one[diff]{diff{orNone(changes)}}, a.refused(err)
	})
	a.sources(f, e)
	a.drafts(f, e)
	a.examples()
	a.outlines(e)
	a.states(f, e)
}

type diff struct {
	Changes []flow.Change `json:"changes" nullable:"false"`
}

// versions returns the versions of a flow with their ETag.
func (a *API) versions(ctx context.Context, e *engine.Engine, id string) ([]engine.Version, string, error) {
	all, err := e.Versions(ctx, id)
	return all, versionsTag(all), a.refused(err)
}

func versionsTag(all []engine.Version) string {
	var parts []string
	for _, v := range all {
		parts = append(parts, v.Digest, string(v.State))
		if v.State == engine.Draft {
			parts = append(parts, v.Changed.String())
		}
	}
	return tagOf(parts...)
}

// states serves the changes of which version starts runs.
func (a *API) states(f Flows, e *engine.Engine) {
	serve(a, route{
		method: http.MethodPost, path: "/v1/flows/{flow}/versions/{version}/publish", id: "publishVersion", tag: "flows", summary: "Publish a version that is kept, the draft or an older one",
		access: Access{Right: Manage}, refusals: []int{http.StatusNotFound, http.StatusPreconditionFailed, http.StatusUnprocessableEntity}, acts: always,
	}, func(ctx context.Context, in *struct {
		Flow    string `path:"flow" example:"menu"`
		Version int    `path:"version" minimum:"1" example:"1"`
		IfMatch string `header:"If-Match" doc:"The ETag of the flow's versions: 412 if they have changed."`
	}) (*one[Published], error) {
		var p Published
		err := a.change(ctx, e, in.Flow, in.IfMatch, func() (err error) {
			p, err = f.Restore(ctx, in.Flow, in.Version)
			return err
		})
		return &one[Published]{p}, err
	})
	serve(a, route{
		method: http.MethodPost, path: "/v1/flows/{flow}/retire", id: "retireFlow", tag: "flows", summary: "Let a flow start no more runs",
		access: Access{Right: Manage}, refusals: []int{http.StatusNotFound, http.StatusPreconditionFailed}, acts: always,
	}, func(ctx context.Context, in *struct {
		Flow    string `path:"flow" example:"menu"`
		IfMatch string `header:"If-Match" doc:"The ETag of the flow's versions: 412 if they have changed."`
	}) (*one[retired], error) {
		err := a.change(ctx, e, in.Flow, in.IfMatch, func() error { return f.Retire(ctx, in.Flow) })
		return &one[retired]{retired{in.Flow, engine.Retired}}, err
	})
}

type retired struct {
	Flow  string              `json:"flow"`
	State engine.VersionState `json:"state"`
}

// change calls do to change the versions of a flow, and refuses if they have changed since the caller
// read them (If-Match).
func (a *API) change(ctx context.Context, e *engine.Engine, id, ifMatch string, do func() error) error {
	a.changing.Lock()
	defer a.changing.Unlock()
	if ifMatch != "" {
		_, tag, err := a.versions(ctx, e, id)
		if err != nil {
			return err
		}
		if err := unchanged(ifMatch, tag); err != nil {
			return err
		}
	}
	return a.refused(do())
}

// draftOf returns the draft among the versions.
func draftOf(all []engine.Version) (engine.Version, error) {
	at := slices.IndexFunc(all, func(v engine.Version) bool { return v.State == engine.Draft })
	if at < 0 {
		return engine.Version{}, fmt.Errorf("the flow has no draft: %w", engine.ErrNotFound)
	}
	return all[at], nil
}

// orNone makes a nil list [] in JSON.
func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
