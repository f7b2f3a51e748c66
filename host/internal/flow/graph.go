package flow

import (
	"maps"
	"slices"
	"strings"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk"
)

// graph reports nodes that no run can reach, and cycles that never wait.
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
		c.fail(jsonstrict.Pointer("/nodes", c.program.nodes[circle[0]].index), "hot_loop", "let the circle pass a node that waits for an answer, or a delay of 1s or more",
			"%s goes round without ever waiting", strings.Join(append(circle, circle[0]), " → "))
	}
}

// hotLoops finds one cycle for each edge that closes one, following only edges that are taken at
// once: it skips the ports that an answer, a reminder or the timeout takes, and those behind a
// delay of at least leastDelay.
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
			if n.op == nil || n.op.byAnswer(port) || port != PortError && n.shortest() >= leastDelay {
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

// Event types in addition to those of the catalogue.
const (
	anyEvent = ""  // nothing is known about the event
	noEvent  = "-" // there is none: the run is started by hand or by another flow
)

// collected is the suffix of an event type that stands for several messages.
const collected = ", collected"

// eventSchema returns the schema of an event type; nil if nothing is known about it.
func (c *compilation) eventSchema(event string) any {
	typ, several := strings.CutSuffix(event, collected)
	schema, _ := c.cat.events[typ].(map[string]any)
	if !several || schema == nil {
		return c.cat.events[typ]
	}
	schema = maps.Clone(schema)
	members := maps.Clone(properties(schema))
	members["texts"] = map[string]any{"type": "array", "items": map[string]any{"type": "string"}}
	schema["properties"] = members
	return schema
}

// eventTypes returns, for every reachable node, the types of the events that its expressions may
// see. A port that an answer takes carries the event of the answer; every other port passes on the
// event that led to its node.
func (c *compilation) eventTypes() map[string][]string {
	types := map[string]map[string]bool{}
	var queue []string
	reach := func(node, event string) {
		if types[node][event] {
			return
		}
		if types[node] == nil {
			types[node] = map[string]bool{}
		}
		types[node][event] = true
		queue = append(queue, node)
	}
	for _, t := range c.flow.Triggers {
		reach(t.To, c.cat.triggerEvent(t.Type))
	}
	for len(queue) > 0 { // a node is queued once for each type
		n, ok := c.program.nodes[queue[0]]
		queue = queue[1:]
		if !ok {
			continue
		}
		for port, targets := range n.edges {
			events := keys(types[n.ID])
			if n.op == nil {
				events = []string{anyEvent}
			} else if answer, ok := n.op.answerTo(port); ok {
				if n.Wait != nil && n.Wait.Collect > 0 && n.op.static(port) && answer != anyEvent {
					answer += collected
				}
				events = []string{answer}
			}
			for _, to := range targets {
				for _, event := range events {
					reach(to, event)
				}
			}
		}
	}
	out := make(map[string][]string, len(types))
	for node, events := range types {
		out[node] = keys(events)
	}
	return out
}

// triggerEvent is the type of event that a trigger starts runs with.
func (c *Catalogue) triggerEvent(trigger string) string {
	if trigger == TriggerManual || trigger == TriggerFlow {
		return noEvent
	}
	if op, ok := c.ops[trigger]; ok && op.Kind == sdk.KindTrigger && len(op.Events) == 1 {
		return op.Events[0].Type
	}
	return anyEvent
}

// answerTo returns the type of the events that take a port, anyEvent if there are several types; ok
// is false if no event takes it.
func (o *operation) answerTo(port string) (event string, ok bool) {
	for typ, template := range o.answers {
		switch {
		case portKind(template) != portKind(port):
		case ok:
			return anyEvent, true
		default:
			event, ok = typ, true
		}
	}
	return event, ok
}
