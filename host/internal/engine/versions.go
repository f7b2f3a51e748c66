package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// remember adds a program to those that runs are pinned to. When there are too many, one that can
// be compiled again makes room.
func (e *Engine) remember(p *flow.Program) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	digest := p.Flow().Digest
	if _, known := e.programs[digest]; !known && len(e.programs) >= maxFlows {
		if !e.evict() {
			return fmt.Errorf("%d versions are in use, which is the limit: retire some flows", maxFlows)
		}
	}
	e.programs[digest] = p
	return nil
}

func (e *Engine) evict() bool {
	if e.compile == nil {
		return false
	}
	for digest, p := range e.programs {
		if e.served.Load().byFlow[p.Flow().Metadata.ID] != p {
			delete(e.programs, digest)
			return true
		}
	}
	return false
}

// pinned is the program of the version that a run began with. ErrUnknownFlow if the version is not
// kept, or can no longer run here.
func (e *Engine) pinned(ctx context.Context, s run.State) (*flow.Program, error) {
	p, err := e.program(ctx, s.Digest)
	if err != nil {
		return nil, fmt.Errorf("run %s of flow %s: %w", s.Run, s.Flow, err)
	}
	return p, nil
}

// program returns the program of a version by its digest, from memory or else from the Log.
func (e *Engine) program(ctx context.Context, digest string) (*flow.Program, error) {
	e.mu.RLock()
	p, ok := e.programs[digest]
	unfit := e.unfit[digest]
	e.mu.RUnlock()
	if ok || unfit != nil {
		return p, unfit
	}
	p, err := e.restore(ctx, digest)
	if err != nil {
		return nil, err
	}
	return p, e.remember(p)
}

// restore compiles a version that the Log kept.
func (e *Engine) restore(ctx context.Context, digest string) (*flow.Program, error) {
	v, err := e.log.Flow(ctx, digest)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, ErrUnknownFlow
	case err != nil:
		return nil, err
	case e.compile == nil:
		return nil, fmt.Errorf("%w in this process", ErrUnknownFlow)
	}
	p, err := e.compile(v.Flow, v.Source)
	if err != nil {
		err = fmt.Errorf("%w: the kept version does not fit the nodes of this host: %w", ErrUnknownFlow, err)
		e.leave(digest, err)
		return nil, err
	}
	if v.Manifests != "" && v.Manifests != p.Manifests() {
		e.logger.Warn("a version of a flow was published for other versions of its nodes; it fits the present ones, too", "flow", v.Flow, "version", v.Number)
	}
	return p, nil
}

// leave leaves the tasks of a version that does not fit the nodes of this host to other hosts. The
// nodes stay the same as long as this host runs, so the version is not checked again.
func (e *Engine) leave(digest string, why error) {
	e.mu.Lock()
	e.unfit[digest] = why
	left := slices.Collect(maps.Keys(e.unfit))
	e.mu.Unlock()
	e.log.Leave(left)
}

// Unfit is how many of the versions in use do not fit the nodes of this host, as far as is known.
func (e *Engine) Unfit() int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return len(e.unfit)
}

// look checks which of the versions that runs wait in fit the nodes of this host, and forgets unfit
// versions that are no longer in use.
func (e *Engine) look(ctx context.Context, published []Version) error {
	all, waiting, err := e.log.Flows(ctx)
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for _, v := range published {
		used[v.Digest] = true
	}
	for _, v := range all {
		if waiting[v.Digest] == 0 {
			continue
		}
		used[v.Digest] = true
		if _, err := e.program(ctx, v.Digest); err != nil && !errors.Is(err, ErrUnknownFlow) {
			return err
		}
	}
	e.mu.Lock()
	maps.DeleteFunc(e.unfit, func(digest string, _ error) bool { return !used[digest] })
	left := slices.Collect(maps.Keys(e.unfit))
	e.mu.Unlock()
	e.log.Leave(left)
	return nil
}

// Listed is a flow in a list. Its Version is the one that starts runs, or else the draft, or else
// the newest.
type Listed struct {
	Version
	Newest    int    `json:"newest"` // the highest number of a version
	Published *Stand `json:"published,omitempty"`
	Draft     *Stand `json:"draft,omitempty"`
	Waiting   int    `json:"waiting"` // runs that wait

	retired bool // it has a retired version
}

// Stand is the version that is in a state, and since when.
type Stand struct {
	Version int       `json:"version"`
	Changed time.Time `json:"changed"`
	By      string    `json:"by,omitempty"`
}

// Flows lists the flows that have a version in a state, sorted by their ids; with an empty state,
// all flows. A flow with a published version does not count as retired.
func (e *Engine) Flows(ctx context.Context, state VersionState) ([]Listed, error) {
	all, waiting, err := e.log.Flows(ctx)
	if err != nil {
		return nil, err
	}
	var out []Listed
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Flow == all[0].Flow {
			n++
		}
		l := listed(all[:n])
		for _, v := range all[:n] {
			l.Waiting += waiting[v.Digest]
		}
		all = all[n:]
		l.hideKey()
		if l.is(state) {
			out = append(out, l)
		}
	}
	return out, nil
}

// listed makes the list entry of a flow from its versions, the newest first.
func listed(versions []Version) Listed {
	l := Listed{Newest: versions[0].Number}
	rank := map[VersionState]int{Published: 4, Draft: 3, Retired: 2, Trial: 1}
	for _, v := range versions {
		stand := &Stand{v.Number, v.Changed, v.By}
		switch v.State {
		case Published:
			l.Published = stand
		case Draft:
			l.Draft = stand
		case Retired:
			l.retired = true
		}
		if rank[v.State] > rank[l.State] {
			v.Name = cmp.Or(v.Name, l.Name)
			l.Version = v
		}
	}
	return l
}

// is says whether the flow belongs in the list for a state. A flow that was only tried is in none.
func (l Listed) is(state VersionState) bool {
	switch state {
	case Published:
		return l.Published != nil
	case Draft:
		return l.Draft != nil
	case Retired:
		return l.retired && l.Published == nil
	}
	return l.State != Trial
}
