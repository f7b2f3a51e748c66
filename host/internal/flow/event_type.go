package flow

import "github.com/tapnode/tapnode/sdk"

// anyEvent is the type of an event that depends on the way a run takes.
const anyEvent = ""

// eventTypes works out, for every node that can be reached, the one type of event
// that expressions there see, or anyEvent. An answer brings its own event; every
// other port passes on the one that led to its node.
func (c *compilation) eventTypes() map[string]string {
	types := map[string]string{}
	var queue []string
	reach := func(node, event string) {
		switch old, seen := types[node]; {
		case !seen:
			types[node] = event
		case old == event || old == anyEvent:
			return
		default:
			types[node] = anyEvent
		}
		queue = append(queue, node)
	}
	for _, t := range c.flow.Triggers {
		reach(t.To, c.cat.triggerEvent(t.Type))
	}
	for len(queue) > 0 { // each node changes at most twice
		n, ok := c.program.nodes[queue[0]]
		queue = queue[1:]
		if !ok {
			continue
		}
		for port, targets := range n.edges {
			event := types[n.ID]
			if n.op == nil {
				event = anyEvent
			} else if answer, ok := n.op.answerTo(port); ok {
				event = answer
			}
			for _, to := range targets {
				reach(to, event)
			}
		}
	}
	return types
}

// triggerEvent is the type of event that a trigger starts runs with.
func (c *Catalogue) triggerEvent(trigger string) string {
	if op, ok := c.ops[trigger]; ok && op.Kind == sdk.KindTrigger && len(op.Events) == 1 {
		return op.Events[0].Type
	}
	return anyEvent
}

// answerTo is the type of the events that take a port, if events do.
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
