package flow

import (
	"fmt"
	"slices"
	"time"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk"
)

// waits decides which nodes wait for an answer, and for how long.
func (c *compilation) waits() {
	for _, n := range c.program.nodes {
		if n.op == nil {
			continue
		}
		ptr := jsonstrict.Pointer("/nodes", n.index)
		if !n.op.waits() {
			if n.Wait != nil {
				c.fail(jsonstrict.Pointer(ptr, "wait"), "no_answers", "remove wait", "%s gets no answers to wait for", n.Type)
			}
			continue
		}
		n.Timeout, n.Late = DefaultWait, LateRestart
		if n.Wait != nil {
			n.Waits, n.Timeout, n.Late = true, time.Duration(n.Wait.Timeout), n.Wait.Late
			c.collects(n, ptr)
		}
		for port := range n.edges {
			n.Waits = n.Waits || n.op.byAnswer(port)
		}
		if n.Timeout < time.Second || n.Timeout > MaxWait {
			c.fail(jsonstrict.Pointer(ptr, "wait", "timeout"), "out_of_range", "", "the timeout must be between 1s and 90d")
		}
		c.reminds(n, ptr)
		if n.Waits {
			c.wired(n, ptr)
		}
	}
}

// maxCollect is the maximum of Wait.Collect.
const maxCollect = 5 * time.Minute

// collects checks how long answers in words are collected.
func (c *compilation) collects(n *CompiledNode, ptr string) {
	n.Collect = time.Duration(n.Wait.Collect)
	if n.Collect == 0 {
		return
	}
	at := jsonstrict.Pointer(ptr, "wait", "collect")
	if n.Collect < time.Second || n.Collect > maxCollect {
		c.fail(at, "out_of_range", "", "words are collected for 1s to 5m")
	}
	if !slices.ContainsFunc(n.op.Ports, func(p sdk.Port) bool { return n.op.byAnswer(p.ID) && len(n.edges[p.ID]) > 0 }) {
		c.fail(at, "no_words", fmt.Sprintf("add an edge from %s.text, or remove collect", n.ID), "node %q takes no answer in words", n.ID)
	}
}

// reminds checks the times of the reminders.
func (c *compilation) reminds(n *CompiledNode, ptr string) {
	if n.Wait == nil {
		return
	}
	last := time.Duration(0)
	for i, d := range n.Wait.Remind {
		at := time.Duration(d)
		if at < time.Second || at <= last || at >= n.Timeout {
			c.fail(jsonstrict.Pointer(ptr, "wait", "remind", i), "out_of_range", "", "reminders come one after the other, 1s after the message at the earliest and before the timeout of %s", Span(n.Timeout))
		}
		last = at
		n.Remind = append(n.Remind, at)
		if port := RemindPort(i + 1); len(n.Targets(port)) == 0 {
			c.report(SeverityWarning, jsonstrict.Pointer(ptr, "wait", "remind", i), "unwired_port", fmt.Sprintf("add an edge from %s.%s", n.ID, port),
				"nothing follows when it is time to remind")
		}
	}
}

// wired warns if the timeout or a port on offer leads nowhere.
func (c *compilation) wired(n *CompiledNode, ptr string) {
	if len(n.edges[PortTimeout]) == 0 {
		c.report(SeverityWarning, ptr, "no_timeout_edge", fmt.Sprintf("add an edge from %s.timeout", n.ID),
			"node %q waits, but nothing follows when no answer comes", n.ID)
	}
	_, offered, _ := n.op.ports(n.input.mask())
	for _, port := range offered {
		if len(n.Targets(port)) == 0 {
			c.report(SeverityWarning, ptr, "unwired_port", fmt.Sprintf("add an edge from %s.%s", n.ID, port),
				"a click that leaves node %q by %q ends there", n.ID, port)
		}
	}
}
