package v1

import (
	"context"
	"errors"
	"net/http"

	"github.com/tapnode/tapnode/host/internal/process"
)

// Node is a node process of the host.
type Node struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	process.Status
	// Crashes are the latest crashes, oldest first; lists leave them out.
	Crashes []process.Crash `json:"crashes,omitempty"`
}

// Nodes are the node processes of the host.
type Nodes interface {
	// Nodes returns all nodes in the order of nodes.lock.
	Nodes() []Node
	// RestartNode stops the process gracefully if it runs, disregards its past crashes and starts it. It
	// returns nil once the node takes calls, or else the reason why it does not. An unknown name gives
	// ErrUnknownNode; a node that is being restarted already, process.ErrRunning.
	RestartNode(ctx context.Context, name string) error
}

// ErrUnknownNode means that no node has the given name.
var ErrUnknownNode = errors.New("there is no such node")

type nodeIn struct {
	Name string `path:"name" example:"whatsapp-send-buttons" doc:"As nodes.lock has it."`
}

func (a *API) nodes(n Nodes) {
	find := func(name string) (*one[Node], error) {
		for _, node := range n.Nodes() {
			if node.Name == name {
				return &one[Node]{node}, nil
			}
		}
		return nil, refuse(http.StatusNotFound, "unknown_node", "there is no such node; GET /v1/nodes lists them")
	}
	serve(a, route{
		method: http.MethodGet, path: "/v1/nodes", id: "listNodes", tag: "nodes", summary: "The node processes and how they are", access: Access{Right: Read},
	}, func(context.Context, *struct{}) (*one[nodeList], error) {
		nodes := n.Nodes()
		for i := range nodes {
			nodes[i].Crashes = nil
		}
		return &one[nodeList]{nodeList{nodes}}, nil
	})
	serve(a, route{
		method: http.MethodGet, path: "/v1/nodes/{name}", id: "getNode", tag: "nodes", summary: "One node process, with its latest crashes",
		access: Access{Right: Read}, refusals: []int{http.StatusNotFound},
	}, func(_ context.Context, in *nodeIn) (*one[Node], error) { return find(in.Name) })
	serve(a, route{
		method: http.MethodPost, path: "/v1/nodes/{name}/restart", id: "restartNode", tag: "nodes", summary: "Restart a node, also one in quarantine",
		about:  "Answers when the node takes calls again. A client that goes away does not stop it.",
		access: Access{Right: Manage}, refusals: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
	}, func(ctx context.Context, in *nodeIn) (*one[Node], error) {
		err := n.RestartNode(context.WithoutCancel(ctx), in.Name) // an interrupted restart would leave the node stopped
		switch {
		case errors.Is(err, ErrUnknownNode), err == nil:
			return find(in.Name)
		case errors.Is(err, process.ErrRunning):
			return nil, refuse(http.StatusConflict, "restarting", "the node is being restarted already")
		default:
			return nil, refuse(http.StatusServiceUnavailable, "not_ready", "the node was restarted and is not ready: "+err.Error())
		}
	})
}

type nodeList struct {
	Nodes []Node `json:"nodes" nullable:"false"`
}
