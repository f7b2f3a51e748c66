package flow

import (
	"fmt"
	"time"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// Delays reports whether the node is a delay, which makes no call: the run continues at Due.
func (n *CompiledNode) Delays() bool { return n.Type == operationDelay }

// Due returns when a run continues that came to a delay@1 with this input at now. A length that is
// computed in the run counts as at least one second, so that a cycle with a delay in it never runs
// without waiting. An end that has passed is due at once.
func (n *CompiledNode) Due(input map[string]any, now time.Time) (time.Time, error) {
	if length, given := input["for"]; given {
		var d Duration
		if err := d.UnmarshalText([]byte(text(length))); err != nil {
			return time.Time{}, fmt.Errorf("for: %w", err)
		}
		if time.Duration(d) > MaxWait {
			return time.Time{}, fmt.Errorf("for: a delay has at most 90d")
		}
		return now.Add(max(time.Duration(d), n.shortest())), nil
	}
	zone, _ := input["zone"].(string)
	until, err := parseTime(text(input["until"]), zone)
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("until: %w", err)
	case until.Sub(now) > MaxWait:
		return time.Time{}, fmt.Errorf("until: it lies more than 90d ahead")
	case until.Before(now):
		return now, nil
	}
	return until, nil
}

// shortest returns the least time that a branch spends at the node before it leaves by out.
func (n *CompiledNode) shortest() time.Duration {
	if !n.Delays() {
		return 0
	}
	length, given := n.With["for"]
	switch {
	case !given:
		return 0
	case isTemplate(length):
		return leastDelay
	}
	d, err := duration(text(length), 0)
	if err != nil {
		return leastDelay // reported elsewhere
	}
	return d
}

// leastDelay is the shortest delay that counts as a wait.
const leastDelay = time.Second

// delays checks the parts of delays that are known before the run.
func (c *compilation) delays() {
	for i := range c.flow.Nodes {
		n := &c.flow.Nodes[i]
		if n.Type != operationDelay {
			continue
		}
		with := map[string]any{}
		for k, v := range n.With {
			if isTemplate(v) {
				continue
			}
			with[k] = v
		}
		ptr := jsonstrict.Pointer("/nodes", i, "with")
		if (n.With["for"] == nil) == (n.With["until"] == nil) {
			c.fail(ptr, "required", "", "a delay needs one of for and until")
		}
		if length, known := with["for"].(string); known {
			if d, err := duration(length, 0); err == nil && d > MaxWait { // the schema checks its form
				c.fail(ptr+"/for", "out_of_range", "", "a delay has at most 90d")
			}
		}
		zone, _ := with["zone"].(string)
		if zone == "" {
			zone = "UTC"
		} else if _, err := zoneOf(zone); err != nil {
			c.fail(ptr+"/zone", "time_zone", "", "%v", err)
			continue
		}
		if until, known := with["until"].(string); known {
			if _, err := parseTime(until, zone); err != nil {
				c.fail(ptr+"/until", "time", "", "%v", err)
			}
		}
	}
}
