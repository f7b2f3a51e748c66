package flow

import (
	"slices"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// joins checks the nodes that have a join, and records for each with join all the nodes that it can
// be reached from.
func (c *compilation) joins() {
	from := map[string][]string{} // by node, the nodes with an edge to it
	ways := map[string]int{}      // by node, how many edges and triggers lead to it
	for _, t := range c.flow.Triggers {
		ways[t.To]++
	}
	for id, n := range c.program.nodes {
		for _, targets := range n.edges {
			for _, to := range targets {
				from[to] = append(from[to], id)
				ways[to]++
			}
		}
	}
	c.program.before = map[string]map[string]bool{}
	var all []*CompiledNode
	for i := range c.flow.Nodes {
		n := c.program.nodes[c.flow.Nodes[i].ID]
		if n.index != i || n.Join == "" {
			continue
		}
		if ways[n.ID] < 2 {
			c.report(SeverityWarning, jsonstrict.Pointer("/nodes", i, "join"), "join_alone", "remove join, or lead another branch there",
				"only one edge leads to node %q, so there is nothing to join", n.ID)
		}
		if n.Join == JoinAll {
			c.program.before[n.ID] = ancestors(n.ID, from)
			all = append(all, n)
		}
	}
	for i, n := range all {
		for _, earlier := range all[:i] {
			if c.program.before[n.ID][earlier.ID] && c.program.before[earlier.ID][n.ID] {
				c.fail(jsonstrict.Pointer("/nodes", n.index, "join"), "join_circle", "let one of them take any branch, or lead the circle around it",
					"nodes %q and %q wait for one another: each can still be reached from the other", earlier.ID, n.ID)
			}
		}
	}
}

// ancestors returns the nodes from which a run can reach a node.
func ancestors(id string, from map[string][]string) map[string]bool {
	found := map[string]bool{}
	queue := slices.Clone(from[id])
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		if !found[next] {
			found[next] = true
			queue = append(queue, from[next]...)
		}
	}
	return found
}

// LeadsTo reports whether a branch at node n can still reach a node with join all. answered means
// that the call has ended, so that only an answer, a reminder or the timeout can lead on.
func (p *Program) LeadsTo(n *CompiledNode, join string, answered bool) bool {
	for port, targets := range n.edges {
		if answered && !n.op.byAnswer(port) {
			continue
		}
		for _, to := range targets {
			if to == join || p.before[join][to] {
				return true
			}
		}
	}
	return false
}

// Before reports whether a branch at the node earlier can reach a node with join all.
func (p *Program) Before(earlier, join string) bool { return p.before[join][earlier] }
