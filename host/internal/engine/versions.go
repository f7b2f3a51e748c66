package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// remember adds a program to those that runs are pinned to. When there are too many, one
// that can be had again makes room.
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

// pinned is the program of the version that a run began with. ErrUnknownFlow says that
// nobody has it, or why it cannot run here any more.
func (e *Engine) pinned(ctx context.Context, s run.State) (*flow.Program, error) {
	p, err := e.program(ctx, s.Digest)
	if err != nil {
		return nil, fmt.Errorf("run %s of flow %s: %w", s.Run, s.Flow, err)
	}
	return p, nil
}

// program is a version by its digest.
func (e *Engine) program(ctx context.Context, digest string) (*flow.Program, error) {
	e.mu.RLock()
	p, ok := e.programs[digest]
	e.mu.RUnlock()
	if ok {
		return p, nil
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
		return nil, fmt.Errorf("%w: the kept version does not fit the nodes of this host: %w", ErrUnknownFlow, err)
	}
	if v.Manifests != "" && v.Manifests != p.Manifests() {
		e.logger.Warn("a version of a flow was published for other versions of its nodes; it fits the present ones, too", "flow", v.Flow, "version", v.Number)
	}
	return p, nil
}
