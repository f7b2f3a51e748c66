package app

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/tapnode/tapnode/host/internal/api"
	"github.com/tapnode/tapnode/host/internal/api/v1"
	"github.com/tapnode/tapnode/host/internal/process"
)

// Nodes returns the node processes with their states.
func (a *App) Nodes() []v1.Node {
	out := make([]v1.Node, 0, len(a.nodes))
	for _, n := range a.nodes {
		out = append(out, v1.Node{Name: n.manifest.Name, Version: n.manifest.Version, Status: n.State(), Crashes: n.Crashes()})
	}
	return out
}

// RestartNode implements v1.Nodes. It is the way out of quarantine. Stop interrupts it.
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
		a.readers.Add(1) // Stop waits for the restart before it stops the nodes
		a.mu.Unlock()
		defer a.readers.Done()
		return n.Restart(a.reading) //nolint:contextcheck // the host's life bounds it, not the caller's
	}
	return v1.ErrUnknownNode
}

// Ready reports whether the host accepts work and can store it, and the state of each node. The
// host stays ready when a node does not work: calls to that node wait, calls to the others do not.
func (a *App) Ready() api.Readiness {
	r := api.Readiness{Nodes: make([]api.NodeReadiness, 0, len(a.nodes))}
	a.mu.Lock()
	started, tried, stopped := a.started, a.tried, a.stopped
	a.mu.Unlock()
	switch err := a.opt.Storage(); {
	case stopped:
		r.Reason = "the host is stopping"
	case !started || !tried:
		r.Reason = "the host is starting"
	case err != nil:
		r.Reason = "the database of the runs cannot be used: " + err.Error()
	default:
		r.Ready = true
	}
	for _, n := range a.nodes {
		r.Nodes = append(r.Nodes, n.readiness())
	}
	return r
}

func (n *node) readiness() api.NodeReadiness {
	s := n.State()
	out := api.NodeReadiness{Name: n.manifest.Name, State: string(s.State), Reason: s.Reason}
	alike := map[string]int{} // how often each masked name has occurred
	for _, h := range n.Health() {
		if h.Subject == "" { // the process, whose message is the node's reason
			continue
		}
		name := unnumbered(h.Subject)
		if alike[name]++; alike[name] > 1 {
			name = fmt.Sprintf("%s (%d)", name, alike[name])
		}
		// The message is left out, since it may name people.
		out.Instances = append(out.Instances, api.InstanceReadiness{Name: name, State: strings.ToLower(string(h.State)), Reason: h.Reason})
	}
	return out
}

var number = regexp.MustCompile(`\d{5,}(\d\d)`)

// unnumbered returns an instance's name for readers who may not see phone numbers, since some users
// name instances after them. Of a number, only the last two digits remain.
func unnumbered(instance string) string { return number.ReplaceAllString(instance, "…$1") }
