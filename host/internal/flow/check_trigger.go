package flow

import (
	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk"
)

const kindAction = sdk.KindAction

// triggers checks the triggers. Before a run, only event and run are known.
func (c *compilation) triggers() {
	called := ""
	for i, t := range c.flow.Triggers {
		ptr := jsonstrict.Pointer("/triggers", i)
		if _, ok := c.program.triggers[t.ID]; ok {
			c.fail(jsonstrict.Pointer(ptr, "id"), "duplicate_id", "give one of them another id", "trigger %q is there twice", t.ID)
			continue
		}
		tr := &trigger{Trigger: t}
		c.program.triggers[t.ID] = tr
		c.triggerType(tr, ptr)
		if t.Type == TriggerFlow {
			if called != "" {
				c.fail(jsonstrict.Pointer(ptr, "type"), "duplicate", "keep one", "a flow has one trigger of type flow; the first is %q", called)
			}
			called = t.ID
		}
		if _, ok := c.program.nodes[t.To]; !ok {
			c.fail(jsonstrict.Pointer(ptr, "to"), "unknown_node", DidYouMean(t.To, keys(c.program.nodes)), "there is no node %q", t.To)
		}
		c.triggerExpressions(tr, ptr)
	}
}

func (c *compilation) triggerExpressions(t *trigger, ptr string) {
	before := c.beforeRun(t.Type, false)
	if t.When != "" {
		t.when = c.condition(t.When, jsonstrict.Pointer(ptr, "when"), before)
	}
	for name := range t.Vars {
		if known := properties(c.flow.Vars); known[name] == nil {
			c.fail(jsonstrict.Pointer(ptr, "vars", name), "unknown_variable", DidYouMean(name, keys(known)), "vars has no %q", name)
		}
	}
	var errs []inputError
	t.vars, errs = compileInput(t.Vars, jsonstrict.Pointer(ptr, "vars"), before)
	for _, e := range errs {
		c.expression(e.pointer, e.err, "event", "run")
	}
	if t.Concurrency == nil || t.Concurrency.Key == "" {
		return
	}
	key, _, bad := compileTemplate(t.Concurrency.Key, c.beforeRun(t.Type, true))
	for _, err := range bad {
		c.expression(jsonstrict.Pointer(ptr, "concurrency", "key"), err, "event", "run", "vars")
	}
	t.key = key
}

// triggerType checks the type of a trigger and its filter.
func (c *compilation) triggerType(t *trigger, ptr string) {
	op, ok := c.cat.ops[t.Type]
	if !ok {
		c.fail(jsonstrict.Pointer(ptr, "type"), "unknown_type", DidYouMean(t.Type, c.cat.kind(sdk.KindTrigger)),
			"no trigger of type %q is installed", t.Type)
		return
	}
	if op.Kind != sdk.KindTrigger {
		c.fail(jsonstrict.Pointer(ptr, "type"), "not_a_trigger", "", "%s starts no runs", t.Type)
		return
	}
	for _, e := range op.Events {
		t.events = append(t.events, e.Type)
	}
	if len(op.Events) > 0 {
		if doc, ok := c.cat.events[op.Events[0].Type].(map[string]any); ok {
			t.event = doc
		}
	}
	c.checkWords(t, ptr)
	ptr = jsonstrict.Pointer(ptr, "with")
	if len(op.Input) == 0 {
		if len(t.With) > 0 {
			c.report(SeverityWarning, ptr, "no_filter", "remove with", "a trigger of type %s has nothing to set", t.Type)
		}
		return
	}
	var filter any = map[string]any{}
	if t.With != nil {
		filter = t.With
	}
	found := op.input.Findings(filter)
	for _, f := range found {
		c.fail(ptr+f.Pointer, f.Code, f.Suggestion, "%s: %s", op.ID, f.Message)
	}
	if len(found) > 0 {
		return
	}
	with, _ := op.input.WithDefaults(filter).(map[string]any)
	switch t.Type {
	case TriggerWebhook:
		c.checkWebhook(t, with, ptr)
	case TriggerSchedule:
		c.checkSchedule(t, with, ptr)
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
