package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/api/v1"
	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// Publish checks a flow file, stores it as a version, and makes its triggers start runs of that
// version at once; runs of other versions continue unchanged. A *flow.InvalidError says what is
// wrong with the file.
func (a *App) Publish(ctx context.Context, source []byte) (v1.Published, error) {
	p, findings, err := flow.Load(source, a.Catalogue)
	if err != nil {
		return v1.Published{}, err
	}
	return a.publish(ctx, p, findings)
}

func (a *App) publish(ctx context.Context, p *flow.Program, findings []flow.Finding) (v1.Published, error) {
	left, err := a.leftBehind(ctx, p)
	if err != nil {
		return v1.Published{}, err
	}
	var v engine.Version
	var changed bool
	err = a.follow(ctx, func() (err error) {
		v, changed, err = a.Engine.Publish(ctx, p)
		return err
	})
	if err != nil {
		return v1.Published{}, err
	}
	return v1.Published{Version: v, New: changed, Findings: append(findings, left...)}, nil
}

// Deploy publishes a flow that has been loaded before.
func (a *App) Deploy(ctx context.Context, p *flow.Program) error {
	return a.follow(ctx, func() error { return a.Engine.Deploy(ctx, p) })
}

// Draft stores a flow file as the draft of a flow, even if it cannot run: the findings then say
// why, and the program is nil. A file that is too large is refused with a *flow.InvalidError.
func (a *App) Draft(ctx context.Context, id, by string, source []byte) (engine.Version, *flow.Program, []flow.Finding, error) {
	if len(source) > flow.MaxSize {
		_, _, err := flow.Load(source, a.Catalogue)
		return engine.Version{}, nil, nil, err
	}
	p, findings, err := flow.LoadAs(source, a.Catalogue, id)
	if bad, ok := errors.AsType[*flow.InvalidError](err); ok {
		p, findings = nil, bad.Findings
	} else if err != nil {
		return engine.Version{}, nil, nil, err
	}
	v, err := a.Engine.Draft(ctx, id, by, source, p)
	return v, p, findings, err
}

// Check checks a flow file and stores nothing.
func (a *App) Check(source []byte) (*flow.Program, []flow.Finding, error) {
	return flow.Load(source, a.Catalogue)
}

// Restore publishes a stored version, an older one or the draft.
func (a *App) Restore(ctx context.Context, id string, number int) (v1.Published, error) {
	v, err := a.Engine.Version(ctx, id, number)
	if err != nil {
		return v1.Published{}, err
	}
	p, findings, err := flow.LoadAs(v.Source, a.Catalogue, id)
	if err != nil {
		return v1.Published{}, err
	}
	return a.publish(ctx, p, findings)
}

// Retire makes a flow start no more runs. Runs that have begun continue.
func (a *App) Retire(ctx context.Context, id string) error {
	return a.follow(ctx, func() error { return a.Engine.Retire(ctx, id) })
}

// Diff describes how two versions of a flow differ. An older of 0 means the published version, a
// newer of 0 the newest one.
func (a *App) Diff(ctx context.Context, id string, older, newer int) ([]flow.Change, error) {
	from, err := a.Engine.Version(ctx, id, older)
	if err != nil {
		return nil, err
	}
	if newer == 0 {
		all, err := a.Engine.Versions(ctx, id)
		if err != nil {
			return nil, err
		}
		newer = all[0].Number
	}
	to, err := a.Engine.Version(ctx, id, newer)
	if err != nil {
		return nil, err
	}
	return flow.Diff(a.Catalogue, from.Source, to.Source)
}

// maxEarlier is how many earlier versions are searched for answers that waiting runs may still
// take.
const maxEarlier = 20

// leftBehind warns of answers that runs of earlier versions wait for and that the program has no
// edge for. Those runs still take them, since they finish as they began; new runs do not offer
// them.
func (a *App) leftBehind(ctx context.Context, p *flow.Program) ([]flow.Finding, error) {
	id := p.Flow().Metadata.ID
	versions, err := a.Engine.Versions(ctx, id)
	if errors.Is(err, engine.ErrNotFound) { // the first version of a flow
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []flow.Finding
	waiting := map[string]map[string]int{} // by node and digest
	for _, v := range versions[:min(len(versions), maxEarlier)] {
		if v.Digest == p.Flow().Digest {
			continue
		}
		kept, err := a.Engine.Version(ctx, id, v.Number)
		if err != nil {
			return nil, err
		}
		old, err := a.compile(id, kept.Source)
		if err != nil {
			continue // its runs cannot continue on this host anyway
		}
		for _, node := range old.Flow().Nodes {
			if !old.Node(node.ID).Waits {
				continue
			}
			if waiting[node.ID] == nil {
				if waiting[node.ID], err = a.Engine.Waiting(ctx, id, node.ID); err != nil {
					return nil, err
				}
			}
			n := waiting[node.ID][v.Digest]
			if gone := gone(old, p, node.ID); n > 0 && len(gone) > 0 {
				out = append(out, flow.Finding{Severity: flow.SeverityWarning, Code: "answers_left_behind",
					Message:    fmt.Sprintf("%d runs of version %d wait at %s and may still go on at %s, which this version does not have", n, v.Number, node.ID, strings.Join(gone, ", ")),
					Suggestion: "they go on as they began; to end them instead: tapnode runs cancel"})
			}
		}
	}
	return out, nil
}

// gone returns the ports of a node that have an edge in the old program and none in the new one.
func gone(old, now *flow.Program, node string) []string {
	var ports []string
	for _, e := range old.Flow().Edges {
		from, port := e.Source()
		if n := now.Node(node); from == node && (n == nil || len(n.Targets(port)) == 0) && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	return ports
}

// sync serves all published flows, whichever host published them. A version that does not fit the
// nodes of this host does not keep the others from being served.
func (a *App) sync(ctx context.Context) (generation uint64, err error) {
	var unfit error
	err = a.follow(ctx, func() error {
		generation, unfit = a.Engine.Sync(ctx)
		if errors.Is(unfit, engine.ErrUnknownFlow) {
			return nil
		}
		return unfit
	})
	if err == nil && unfit != nil {
		a.log.Error("some published flows are not served", "err", unfit)
	}
	return generation, err
}

// servePublished serves the published flows, and follows changes by other hosts while the app runs.
func (a *App) servePublished(ctx context.Context) error {
	generation, err := a.sync(ctx)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.stopped {
		a.readers.Go(func() { a.followFlows(a.reading, generation) }) //nolint:contextcheck // the app's life bounds it
	}
	return nil
}

// restFlows is how long the host waits after it failed to read the published flows.
const restFlows = 5 * time.Second

// followFlows serves the flows that other hosts on the same database publish, until ctx ends.
func (a *App) followFlows(ctx context.Context, generation uint64) {
	for ctx.Err() == nil {
		err := a.Engine.Changed(ctx, generation)
		if err == nil {
			generation, err = a.sync(ctx)
		}
		if err != nil && ctx.Err() == nil {
			a.log.Error("what is published cannot be read; trying again", "err", err)
			select {
			case <-time.After(restFlows):
			case <-ctx.Done():
			}
		}
	}
}
