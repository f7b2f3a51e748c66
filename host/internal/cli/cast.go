package cli

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/tapnode/tapnode/host/internal/flow"
)

// cast are the instances and the people of a simulation.
type cast struct {
	instances []string
	phones    []string // numbers; only digits, once the phones exist
}

// The cast when a flow names nobody.
const (
	someInstance = "demo"
	somePhone    = "5511999990001"
)

func (c *cast) add(list *[]string, name string) {
	if name != "" && !slices.Contains(*list, name) {
		*list = append(*list, name)
	}
}

func (c *cast) join(more cast) {
	for _, name := range more.instances {
		c.add(&c.instances, name)
	}
	for _, number := range more.phones {
		c.add(&c.phones, number)
	}
}

// castFlags adds the flags for instances and people beyond those that the flows name.
func castFlags(fs *flag.FlagSet) (instances, phones *list) {
	instances, phones = new(list), new(list)
	fs.Var(instances, "instance", "connect the instance of this `NAME`, too (with --simulate)")
	fs.Var(phones, "phone", "make a customer with this `NUMBER`, too (with --simulate)")
	return instances, phones
}

// needs refuses a cast that is requested without a simulation.
func (c *cast) needs(f hostFlags) error {
	if !f.simulated() && len(c.instances)+len(c.phones) > 0 {
		return invalid("--instance and --phone need --simulate: they make what only a simulated WhatsApp can make")
	}
	return nil
}

// castOf returns the instances and people that a flow names: in the inputs of its nodes and the
// filters of its triggers, and as its variables instance and phone. A name may contain variables.
func castOf(f *flow.Flow, vars map[string]any) cast {
	var c cast
	known := map[string]any{}
	for name, property := range properties(f) {
		if p, ok := property.(map[string]any); ok && p["default"] != nil {
			known[name] = p["default"]
		}
	}
	maps.Copy(known, vars)
	c.read(map[string]any{"instance": known["instance"], "number": known["phone"]}, nil)
	for _, t := range f.Triggers {
		ofTrigger := maps.Clone(known)
		maps.Copy(ofTrigger, t.Vars)
		c.read(t.With, ofTrigger)
		for _, n := range f.Nodes {
			if strings.HasPrefix(n.Type, "whatsapp.") {
				c.read(n.With, ofTrigger)
			}
		}
	}
	return c
}

// castFor is castOf, split into those that the flow names itself and those that only the given
// variables name.
func castFor(f *flow.Flow, vars map[string]any) (named, given cast) {
	own, all := castOf(f, nil), castOf(f, vars)
	only := func(list, known []string) (named, given []string) {
		for _, name := range list {
			if slices.Contains(known, name) {
				named = append(named, name)
			} else {
				given = append(given, name)
			}
		}
		return named, given
	}
	named.instances, given.instances = only(all.instances, own.instances)
	named.phones, given.phones = only(all.phones, own.phones)
	return named, given
}

// read looks for names in an input, at any depth.
func (c *cast) read(v any, vars map[string]any) {
	switch v := v.(type) {
	case []any:
		for _, el := range v {
			c.read(el, vars)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			switch key {
			case "instance", "instances":
				c.take(&c.instances, v[key], vars)
			case "number", "allowedSenders":
				c.take(&c.phones, v[key], vars)
			default:
				c.read(v[key], vars)
			}
		}
	}
}

// take adds one name or a list of names, unless they depend on values that only a run has. Of chats
// it takes only those with people, since WhatsApp assigns the names of groups and channels.
func (c *cast) take(into *[]string, v any, vars map[string]any) {
	switch v := v.(type) {
	case []any:
		for _, el := range v {
			c.take(into, el, vars)
		}
	case string:
		name := variable.ReplaceAllStringFunc(v, func(expr string) string {
			value, ok := vars[variable.FindStringSubmatch(expr)[1]].(string)
			if !ok {
				return expr
			}
			return value
		})
		name = strings.TrimSuffix(name, "@s.whatsapp.net")
		if !strings.Contains(name, "${") && !strings.Contains(name, "@") {
			c.add(into, name)
		}
	}
}

var variable = regexp.MustCompile(`\$\{\s*vars\.([A-Za-z_][A-Za-z0-9_]*)\s*\}`)

// gather connects the instances and creates the phones, and returns those that exist. An invalid
// number that a flow names is only a warning, since its node will report it.
func (h *host) gather(ctx context.Context, c console, named, asked cast) (cast, error) {
	if len(named.instances)+len(asked.instances) == 0 {
		named.instances = []string{someInstance}
	}
	if len(named.phones)+len(asked.phones) == 0 {
		named.phones = []string{somePhone}
	}
	var there cast
	for _, name := range slices.Concat(named.instances, asked.instances) {
		if slices.Contains(there.instances, name) {
			continue
		}
		if err := h.sim.Connect(ctx, h.Execute, name); err != nil {
			return there, environment(err)
		}
		there.instances = append(there.instances, name)
	}
	for i, number := range slices.Concat(named.phones, asked.phones) {
		digits, err := h.sim.Phone(ctx, number)
		switch {
		case err != nil && ctx.Err() != nil:
			return there, err
		case err != nil && i >= len(named.phones):
			return there, &exit{exitInvalid, err}
		case err != nil:
			fmt.Fprintln(c.err, "warning:", printable(err.Error()))
		default:
			there.add(&there.phones, digits)
		}
	}
	return there, nil
}
