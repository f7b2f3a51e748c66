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

// Ready says whether the host takes work and can store it, and how each node is. A node
// that does not work leaves the host ready: its calls wait, and the others' do not.
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
	alike := map[string]int{} // names without their digits
	for _, h := range n.Health() {
		if h.Subject == "" { // the process: its message is the node's reason
			continue
		}
		name := unnumbered(h.Subject)
		if alike[name]++; alike[name] > 1 {
			name = fmt.Sprintf("%s (%d)", name, alike[name])
		}
		// Not the message, which may name people.
		out.Instances = append(out.Instances, api.InstanceReadiness{Name: name, State: strings.ToLower(string(h.State)), Reason: h.Reason})
	}
	return out
}

var number = regexp.MustCompile(`\d{5,}(\d\d)`)

// unnumbered is an instance's name for those who may not see phone numbers, which some
// call their instances by: the last two digits of one are left.
func unnumbered(instance string) string { return number.ReplaceAllString(instance, "…$1") }
