package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tapnode/tapnode/host/internal/flow"
)

// Publish keeps a version of a flow and makes the flow's triggers start runs of it. Runs of other
// versions go on as they were. changed is false if the version was already published.
func (e *Engine) Publish(ctx context.Context, p *flow.Program) (v Version, changed bool, err error) {
	e.publishing.Lock()
	defer e.publishing.Unlock()
	f := p.Flow()
	was, err := e.log.Flow(ctx, f.Digest)
	if err == nil || errors.Is(err, ErrNotFound) {
		err = e.remember(p)
	}
	if err == nil {
		err = e.log.PutFlow(ctx, versionOf(p, Published))
	}
	if err == nil {
		v, err = e.log.Flow(ctx, f.Digest)
	}
	if err != nil {
		return v, false, fmt.Errorf("publish flow %s: %w", f.Metadata.ID, err)
	}
	programs := maps.Clone(e.served.Load().byFlow)
	programs[f.Metadata.ID] = p
	e.serve(programs)
	return v, was.State != Published, nil
}

// Draft keeps a flow file as the flow's draft, which starts no runs and replaces the draft before.
// p is the compiled file, or nil when it cannot run. If the file is that of the published version,
// no draft is kept and that version is returned.
func (e *Engine) Draft(ctx context.Context, id, by string, source []byte, p *flow.Program) (Version, error) {
	v := Version{Flow: id, Source: source, State: Draft, Name: flow.Name(source)}
	if p != nil && p.Flow().Metadata.ID == id {
		v = versionOf(p, Draft)
	}
	v.By = by
	if err := e.log.PutFlow(ctx, v); err != nil {
		return Version{}, fmt.Errorf("keep a draft of flow %s: %w", id, err)
	}
	all, err := e.Versions(ctx, id)
	if err != nil {
		return Version{}, err
	}
	for _, state := range []VersionState{Draft, Published} {
		if i := slices.IndexFunc(all, func(v Version) bool { return v.State == state }); i >= 0 {
			all[i].Source = source
			return all[i], nil
		}
	}
	return Version{}, fmt.Errorf("keep a draft of flow %s: %w", id, ErrNotFound) // somebody has dropped it in between
}

// DropDraft removes the draft of a flow; runs that try it go on. ErrNotFound if it has none.
func (e *Engine) DropDraft(ctx context.Context, id string) error {
	if err := e.log.DropDraft(ctx, id); err != nil {
		return fmt.Errorf("the draft of flow %q: %w", id, err)
	}
	return nil
}

func versionOf(p *flow.Program, state VersionState) Version {
	f := p.Flow()
	return Version{Digest: f.Digest, Flow: f.Metadata.ID, Name: f.Metadata.Name, Source: f.Source, Manifests: p.Manifests(), State: state}
}

// Deploy is Publish for callers that do not need the version.
func (e *Engine) Deploy(ctx context.Context, p *flow.Program) error {
	_, _, err := e.Publish(ctx, p)
	return err
}

// Retire makes a flow start no more runs. Those that have begun go on. ErrNotFound if it is
// not published.
func (e *Engine) Retire(ctx context.Context, id string) error {
	e.publishing.Lock()
	defer e.publishing.Unlock()
	if err := e.log.Retire(ctx, id); err != nil {
		return fmt.Errorf("retire flow %s: %w", id, err)
	}
	programs := maps.Clone(e.served.Load().byFlow)
	delete(programs, id)
	e.serve(programs)
	return nil
}

// Sync makes this engine serve the versions that the Log says are published, by whichever host. A
// version that does not fit the nodes of this host starts no runs here; the error, an
// ErrUnknownFlow, names each such version. The generation is for Changed.
func (e *Engine) Sync(ctx context.Context) (generation uint64, err error) {
	e.publishing.Lock()
	defer e.publishing.Unlock()
	generation, all, err := e.log.Published(ctx)
	if err != nil {
		return 0, err
	}
	var broken []error
	current := map[string]*flow.Program{}
	for _, v := range all {
		p, err := e.program(ctx, v.Digest)
		if err != nil && !errors.Is(err, ErrUnknownFlow) {
			return 0, err // an error of the Log: what is served stays
		}
		if err != nil {
			broken = append(broken, fmt.Errorf("flow %s version %d: %w", v.Flow, v.Number, err))
			continue
		}
		current[v.Flow] = p
	}
	e.serve(current)
	if err := e.look(ctx, all); err != nil {
		return 0, err
	}
	return generation, errors.Join(broken...)
}

// Changed returns when somebody has published or retired a flow since a generation.
func (e *Engine) Changed(ctx context.Context, generation uint64) error {
	return e.log.Changed(ctx, generation)
}

// Versions returns the versions of a flow, the newest first, without their sources. ErrNotFound if
// there are none.
func (e *Engine) Versions(ctx context.Context, id string) ([]Version, error) {
	all, err := e.versions(ctx, id)
	for i := range all {
		all[i].hideKey()
	}
	return all, err
}

func (e *Engine) versions(ctx context.Context, id string) ([]Version, error) {
	all, err := e.log.Versions(ctx, id)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("flow %q: %w", id, ErrNotFound)
	}
	return all, err
}

func (v *Version) hideKey() {
	if v.Digest == DraftKey(v.Flow) {
		v.Digest = ""
	}
}

// Version returns a version of a flow with its source; the number 0 is the published version, or
// else the newest. ErrNotFound if there is none.
func (e *Engine) Version(ctx context.Context, id string, number int) (Version, error) {
	all, err := e.versions(ctx, id)
	if err != nil {
		return Version{}, err
	}
	var digest string
	for _, v := range all {
		if v.Number == number || number == 0 && v.State == Published {
			digest = v.Digest
		}
	}
	if number == 0 {
		digest = cmp.Or(digest, all[0].Digest)
	}
	if digest == "" {
		return Version{}, fmt.Errorf("flow %q version %d: %w", id, number, ErrNotFound)
	}
	v, err := e.log.Flow(ctx, digest)
	v.hideKey()
	return v, err
}

// Published lists the versions that start runs, by flow.
func (e *Engine) Published(ctx context.Context) ([]Version, error) {
	_, all, err := e.log.Published(ctx)
	return all, err
}

// Waiting counts the runs that wait at a node of a flow, by the digest of their version.
func (e *Engine) Waiting(ctx context.Context, flow, node string) (map[string]int, error) {
	return e.log.Waiting(ctx, flow, node)
}
