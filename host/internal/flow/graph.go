package flow

import (
	"maps"
	"slices"
	"strings"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// graph looks for nodes no run can reach, and for circles that never wait.
func (c *compilation) graph() {
	reached := map[string]bool{}
	var queue []string
	for _, t := range c.flow.Triggers {
		queue = append(queue, t.To)
	}
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		n, ok := c.program.nodes[id]
		if !ok || reached[id] {
			continue
		}
		reached[id] = true
		for _, to := range n.edges {
			queue = append(queue, to...)
		}
	}
	for _, n := range c.program.nodes {
		if !reached[n.ID] {
			c.report(SeverityWarning, jsonstrict.Pointer("/nodes", n.index), "unreachable", "add an edge that leads to it, or remove it",
				"no trigger leads to node %q", n.ID)
		}
	}
	for _, circle := range c.hotLoops() {
		c.fail(jsonstrict.Pointer("/nodes", c.program.nodes[circle[0]].index), "hot_loop", "let the circle pass a node that waits for an answer",
			"%s goes round without ever waiting", strings.Join(append(circle, circle[0]), " → "))
	}
}

// hotLoops finds one circle per node that closes one, over edges that are taken
// at once: all but those from ports an answer or a timeout takes.
func (c *compilation) hotLoops() [][]string {
	const (
		unseen = iota
		onPath
		finished
	)
	color := map[string]int{}
	var path []string
	var loops [][]string
	var visit func(id string)
	visit = func(id string) {
		color[id] = onPath
		path = append(path, id)
		n := c.program.nodes[id]
		for _, port := range slices.Sorted(maps.Keys(n.edges)) {
			if n.op == nil || n.op.byAnswer(port) {
				continue
			}
			for _, to := range n.edges[port] {
				if c.program.nodes[to] == nil {
					continue
				}
				switch color[to] {
				case onPath:
					loops = append(loops, slices.Clone(path[slices.Index(path, to):]))
				case unseen:
					visit(to)
				}
			}
		}
		path = path[:len(path)-1]
		color[id] = finished
	}
	for _, n := range c.flow.Nodes {
		if color[n.ID] == unseen {
			visit(n.ID)
		}
	}
	return loops
}
