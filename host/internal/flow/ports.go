package flow

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk"
)

// Ports the interpreter knows by name. The others are the operations' own.
const (
	PortOut     = "out"
	PortSent    = "sent"
	PortError   = "error"
	PortTimeout = "timeout"
	// PortRemind is the kind of the ports of reminders; see RemindPort.
	PortRemind = "remind"
)

// RemindPort is the port of the n-th reminder, counted from 1.
func RemindPort(n int) string { return PortRemind + ":" + strconv.Itoa(n) }

// reminders are the ports of the node's reminders.
func (n *CompiledNode) reminders() []string {
	if n.Wait == nil || len(n.Wait.Remind) == 0 {
		return nil
	}
	out := []string{PortRemind + ":*"}
	for i := range n.Wait.Remind {
		out = append(out, RemindPort(i+1))
	}
	return out
}

// ports lists the exits of a node of this operation with this input, in drawing
// order: the operation's own, those its rules derive from the input, the
// wildcard of each rule ("reply:*"), and the host's error and timeout. The
// schema's defaults are filled in first, also for null and "", which nodes take
// for absent. offered are those that the rules derived,
// the choices an answer picks from. Elements with unknown members have no port of
// their own yet; open is then true.
func (o *operation) ports(input any) (ports []sdk.Port, offered []string, open bool) {
	input = o.input.WithDefaults(withoutEmpty(input))
	ports = slices.Clone(o.Ports)
	has := func(id string) bool {
		return slices.ContainsFunc(ports, func(p sdk.Port) bool { return p.ID == id })
	}
	if o.Exit == "" && !has(PortOut) && !has(PortSent) {
		ports = append(ports, sdk.Port{ID: PortOut, Label: "Done"})
	}
	for _, r := range o.PortRules {
		derived, more := derive(r, input)
		open = open || more
		for _, p := range derived {
			if !has(p.ID) {
				ports = append(ports, p)
				offered = append(offered, p.ID)
			}
		}
		if w := wildcard(r); w != "" && !has(w) {
			ports = append(ports, sdk.Port{ID: w, Label: "Any other"})
		}
	}
	if o.waits() && !has(PortTimeout) {
		ports = append(ports, sdk.Port{ID: PortTimeout, Label: "No answer"})
	}
	if !has(PortError) {
		ports = append(ports, sdk.Port{ID: PortError, Label: "Failed"})
	}
	return ports, offered, open
}

// wildcard is the port that takes what has no edge of its own: "reply:*" for
// ids such as "reply:{id}".
func wildcard(r sdk.PortRule) string {
	if kind, _, ok := strings.Cut(r.ID, ":"); ok && !strings.Contains(kind, "{") {
		return kind + ":*"
	}
	return ""
}

// derives reports whether a rule can give this port.
func (o *operation) derives(port string) bool {
	return slices.ContainsFunc(o.PortRules, func(r sdk.PortRule) bool { return portKind(r.ID) == portKind(port) })
}

// waits reports whether events may answer the operation.
func (o *operation) waits() bool { return len(o.answers) > 0 }

// byAnswer reports whether a port is taken by an answer or for want of one, not
// by the call itself.
func (o *operation) byAnswer(port string) bool {
	if port == PortTimeout || portKind(port) == PortRemind {
		return o.waits()
	}
	for _, template := range o.answers {
		if portKind(template) == portKind(port) {
			return true
		}
	}
	return false
}

// static reports whether a port is one of the operation's own.
func (o *operation) static(port string) bool {
	return slices.ContainsFunc(o.Ports, func(p sdk.Port) bool { return p.ID == port })
}

// portKind is "reply" for "reply:yes".
func portKind(port string) string {
	kind, _, _ := strings.Cut(port, ":")
	return kind
}

// unknown stands for a value that only a run will have.
type unknown struct{}

func isUnknown(v any) bool {
	_, ok := v.(unknown)
	return ok
}

// derive applies the rule to an input.
func derive(r sdk.PortRule, input any) (ports []sdk.Port, open bool) {
	each, ok := jsonstrict.Resolve(input, r.Each)
	if !ok {
		return nil, false
	}
	list, ok := each.([]any)
	if !ok {
		return nil, isUnknown(each)
	}
	for _, el := range list {
		match := true
		for k, want := range r.Where {
			v := member(el, k)
			if isUnknown(v) {
				open = true
			}
			match = match && text(v) == want
		}
		if !match {
			continue
		}
		id, dynamic := fill(r.ID, el)
		if dynamic {
			open = true
			continue
		}
		label, _ := fill(r.Label, el)
		ports = append(ports, sdk.Port{ID: id, Label: label})
	}
	return ports, open
}

// Ports are the exits of a node of an operation with an input, as its author has written it so far.
// offered are the ids of those that an answer chooses from; open means that elements whose members
// only a run will know have ports, too. False: there is no such operation.
func (c *Catalogue) Ports(operation string, input any) (ports []sdk.Port, offered []string, open, ok bool) {
	o, ok := c.ops[operation]
	if !ok {
		return nil, nil, false, false
	}
	ports, offered, open = o.ports(untold(input))
	return ports, offered, open, true
}

// untold has unknown in the place of expressions.
func untold(v any) any {
	switch v := v.(type) {
	case string:
		if isTemplate(v) {
			return unknown{}
		}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = untold(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = untold(v[k])
		}
		return out
	}
	return v
}
