package app

import (
	"context"

	"github.com/tapnode/tapnode/host/internal/api/v1"
	"github.com/tapnode/tapnode/host/internal/process"
)

// Nodes are the node processes with their states.
func (a *App) Nodes() []v1.Node {
	out := make([]v1.Node, 0, len(a.nodes))
	for _, n := range a.nodes {
		out = append(out, v1.Node{Name: n.manifest.Name, Version: n.manifest.Version, Status: n.State(), Crashes: n.Crashes()})
	}
	return out
}

// RestartNode is api.Nodes': the way out of quarantine. A Stop cuts it.
func (a *App) RestartNode(_ context.Context, name string) error {
	for _, n := range a.nodes {
		if n.manifest.Name != name {
			continue
		}
		a.mu.Lock()
		if !a.started || a.stopped {
			a.mu.Unlock()
			return process.ErrStopped
		}
		a.readers.Add(1) // Stop waits for it before it stops the nodes
		a.mu.Unlock()
		defer a.readers.Done()
		return n.Restart(a.reading) //nolint:contextcheck // the host's life bounds it, not the caller's
	}
	return v1.ErrUnknownNode
}
