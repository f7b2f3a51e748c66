package flow

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk"
)

// Ports that the interpreter knows by name. Operations define all others.
const (
	PortOut     = "out"
	PortSent    = "sent"
	PortError   = "error"
	PortTimeout = "timeout"
	// PortRemind is the kind of the reminder ports; see RemindPort.
	PortRemind = "remind"
)

// RemindPort is the port of the n-th reminder, counted from 1.
func RemindPort(n int) string { return PortRemind + ":" + strconv.Itoa(n) }

// reminders returns the reminder ports of the node, with their wildcard.
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

// ports lists the exits of a node with this operation and this input, in drawing order: the
// operation's own, those its rules derive from the input, the wildcard of each rule ("reply:*"),
// and the host's timeout and error. The schema's defaults are filled in first, also in place of
// null and "", which nodes treat as absent. offered are the derived ports, from which an answer
// chooses. Elements with unknown members have no port yet; open is then true.
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

// wildcard returns the port for answers whose own port has no edge: "reply:*" for ids such as
// "reply:{id}".
func wildcard(r sdk.PortRule) string {
	if kind, _, ok := strings.Cut(r.ID, ":"); ok && !strings.Contains(kind, "{") {
		return kind + ":*"
	}
	return ""
}

// derives reports whether a rule can produce this port.
func (o *operation) derives(port string) bool {
	return slices.ContainsFunc(o.PortRules, func(r sdk.PortRule) bool { return portKind(r.ID) == portKind(port) })
}

// waits reports whether events may answer the operation.
func (o *operation) waits() bool { return len(o.answers) > 0 }

// byAnswer reports whether a port is taken by an answer or by the lack of one, rather than by the
// call itself.
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

// unknown stands for a value that is known only during a run.
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

// Ports lists the exits of a node with this operation and this input, which may be unfinished.
// offered are the ids of the ports that an answer chooses from. open means that there are more
// ports, of elements whose members are known only during a run. ok is false if there is no such
// operation.
func (c *Catalogue) Ports(operation string, input any) (ports []sdk.Port, offered []string, open, ok bool) {
	o, ok := c.ops[operation]
	if !ok {
		return nil, nil, false, false
	}
	ports, offered, open = o.ports(untold(input))
	return ports, offered, open, true
}

// untold returns v with unknown in place of every expression.
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
