package flow

import (
	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk"
)

const kindAction = sdk.KindAction

// triggers checks what starts runs. Only event and run are known before one.
func (c *compilation) triggers() {
	for i, t := range c.flow.Triggers {
		ptr := jsonstrict.Pointer("/triggers", i)
		if _, ok := c.program.triggers[t.ID]; ok {
			c.fail(jsonstrict.Pointer(ptr, "id"), "duplicate_id", "give one of them another id", "trigger %q is there twice", t.ID)
			continue
		}
		tr := &trigger{Trigger: t}
		c.program.triggers[t.ID] = tr
		c.triggerType(tr, ptr)
		if _, ok := c.program.nodes[t.To]; !ok {
			c.fail(jsonstrict.Pointer(ptr, "to"), "unknown_node", DidYouMean(t.To, keys(c.program.nodes)), "there is no node %q", t.To)
		}
		before := beforeRun(c.cat.events[c.cat.triggerEvent(t.Type)])
		if t.When != "" {
			tr.when = c.condition(t.When, jsonstrict.Pointer(ptr, "when"), before)
		}
		for name := range t.Vars {
			if known := properties(c.flow.Vars); known[name] == nil {
				c.fail(jsonstrict.Pointer(ptr, "vars", name), "unknown_variable", DidYouMean(name, keys(known)), "vars has no %q", name)
			}
		}
		var errs []inputError
		tr.vars, errs = compileInput(t.Vars, jsonstrict.Pointer(ptr, "vars"), before)
		for _, e := range errs {
			c.expression(e.pointer, e.err, "event", "run")
		}
	}
}

func (c *compilation) triggerType(t *trigger, ptr string) {
	if t.Type == TriggerManual || t.Type == TriggerHTTP {
		return
	}
	op, ok := c.cat.ops[t.Type]
	if !ok {
		c.fail(jsonstrict.Pointer(ptr, "type"), "unknown_type", DidYouMean(t.Type, append(c.cat.kind(sdk.KindTrigger), TriggerManual, TriggerHTTP)),
			"no trigger of type %q is installed", t.Type)
		return
	}
	for _, e := range op.Events {
		t.events = append(t.events, e.Type)
	}
	switch {
	case op.Kind != sdk.KindTrigger:
		c.fail(jsonstrict.Pointer(ptr, "type"), "not_a_trigger", "", "%s starts no runs", t.Type)
	default:
		var filter any = map[string]any{}
		if t.With != nil {
			filter = t.With
		}
		for _, f := range op.input.Findings(filter) {
			c.fail(jsonstrict.Pointer(ptr, "with")+f.Pointer, f.Code, f.Suggestion, "%s: %s", op.ID, f.Message)
		}
	}
}

// condition compiles a template that must be exactly one expression.
func (c *compilation) condition(src, ptr string, env environment) *template {
	t, _, errs := compileTemplate(src, env)
	for _, err := range errs {
		c.expression(ptr, err, "event", "run")
	}
	switch {
	case t == nil:
	case len(t.parts) != 1 || t.parts[0].program == nil && len(errs) == 0:
		c.fail(ptr, "expression", "write it as ${ … }", "a condition is one expression")
	}
	return t
}
