package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// Deploy makes a flow's triggers start runs of this version, and keeps its source in
// the Log. Runs of earlier versions go on as they were, also after a restart.
func (e *Engine) Deploy(ctx context.Context, p *flow.Program) error {
	f := p.Flow()
	if err := e.remember(p); err != nil {
		return fmt.Errorf("deploy flow %s: %w", f.Metadata.ID, err)
	}
	if err := e.log.PutFlow(ctx, Version{Digest: f.Digest, Flow: f.Metadata.ID, Source: f.Source}); err != nil {
		return fmt.Errorf("deploy flow %s: %w", f.Metadata.ID, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current[f.Metadata.ID] = p
	return nil
}

// remember adds a program to those that runs are pinned to.
func (e *Engine) remember(p *flow.Program) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	digest := p.Flow().Digest
	if _, known := e.programs[digest]; !known && len(e.programs) >= maxFlows {
		return fmt.Errorf("%d versions are in use, which is the limit", maxFlows)
	}
	e.programs[digest] = p
	return nil
}

// pinned is the program of the version that a run began with. ErrUnknownFlow says that
// nobody has it, or why it cannot run here any more.
func (e *Engine) pinned(ctx context.Context, s run.State) (*flow.Program, error) {
	e.mu.RLock()
	p, ok := e.programs[s.Digest]
	e.mu.RUnlock()
	if ok {
		return p, nil
	}
	p, err := e.restore(ctx, s.Digest)
	if err != nil {
		return nil, fmt.Errorf("run %s of flow %s version %d: %w", s.Run, s.Flow, s.Version, err)
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
	p, err := e.compile(v.Source)
	if err != nil {
		return nil, fmt.Errorf("%w: the kept version does not fit the nodes of this host: %w", ErrUnknownFlow, err)
	}
	return p, nil
}

// Deployed lists the programs that new runs start with, by flow id.
func (e *Engine) Deployed() []*flow.Program {
	e.mu.RLock()
	defer e.mu.RUnlock()
	out := make([]*flow.Program, 0, len(e.current))
	for _, id := range slices.Sorted(maps.Keys(e.current)) {
		out = append(out, e.current[id])
	}
	return out
}
