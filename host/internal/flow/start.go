package flow

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// start makes the state of a new run and queues its first node.
func (st *step) start(e Event) error {
	p := st.p
	if st.s.Digest != "" {
		return fmt.Errorf("run %s: it has already started", st.s.Run)
	}
	t, ok := p.triggers[e.Trigger]
	if !ok {
		return fmt.Errorf("flow %s has no trigger %q", p.flow.Metadata.ID, e.Trigger)
	}
	vars, err := p.variables(st.s.Run, t, e)
	if err != nil {
		return err
	}
	st.s = State{Run: st.s.Run, Flow: p.flow.Metadata.ID, Version: p.flow.Metadata.Version, Digest: p.flow.Digest,
		Trigger: t.ID, Request: e.ID, Started: st.at, Status: StatusRunning, Vars: vars}
	st.emit(Trace{Step: StepRunStarted, Data: vars})
	st.queue = append(st.queue, entry{t.To, e.Data, nil})
	return nil
}

// Triggers lists the triggers that take events of a type, in the order of the
// file.
func (p *Program) Triggers(eventType string) []Trigger {
	var out []Trigger
	for _, t := range p.flow.Triggers {
		if slices.Contains(p.triggers[t.ID].events, eventType) {
			out = append(out, t)
		}
	}
	return out
}

// Match reports whether an event passes the condition of a trigger.
func (p *Program) Match(triggerID string, data any) (bool, error) {
	t, ok := p.triggers[triggerID]
	if !ok {
		return false, fmt.Errorf("flow %s has no trigger %q", p.flow.Metadata.ID, triggerID)
	}
	if t.when == nil {
		return true, nil
	}
	v, err := t.when.eval(p.before("", data))
	if err != nil {
		return false, fmt.Errorf("trigger %s: when: %w", t.ID, err)
	}
	return v == true, nil
}

// before is what expressions see before there is a run.
func (p *Program) before(run string, event any) scope {
	return scope{"event": event, meterName: meter(),
		"run": map[string]any{"id": run, "flow": p.flow.Metadata.ID, "version": p.flow.Metadata.Version}}
}

// variables are the schema's defaults, then what the trigger takes from the
// event, then what the caller gives.
func (p *Program) variables(run string, t *trigger, e Event) (map[string]any, error) {
	vars := map[string]any{}
	if len(t.Vars) > 0 {
		v, err := t.vars.eval(p.before(run, e.Data))
		if err != nil {
			return nil, &InvalidError{Findings: []Finding{{Pointer: "/vars", Severity: SeverityError, Code: "expression_failed", Message: err.Error()}}}
		}
		maps.Copy(vars, v.(map[string]any))
	}
	maps.Copy(vars, e.Vars)
	known := properties(p.flow.Vars)
	var findings []Finding
	for _, name := range keys(vars) {
		if known[name] == nil {
			findings = append(findings, Finding{Pointer: pointer("/vars", name), Severity: SeverityError, Code: "unknown_variable",
				Message: fmt.Sprintf("the flow has no variable %q", name), Suggestion: DidYouMean(name, keys(known))})
		}
	}
	vars, _ = withDefaults(p.flow.Vars, vars).(map[string]any)
	if p.vars != nil {
		for _, v := range p.vars.violations(vars) {
			findings = append(findings, Finding{Pointer: "/vars" + v.pointer, Severity: SeverityError, Code: v.code,
				Message: v.message, Suggestion: v.suggestion})
		}
	}
	if len(findings) > 0 {
		sortFindings(findings)
		return nil, &InvalidError{Findings: findings}
	}
	return vars, nil
}

// ParseVars reads variables written as text, as on a command line, by the types
// of the flow's schema. What cannot be read stays text, for Step to refuse.
func (f *Flow) ParseVars(texts map[string]string) map[string]any {
	out := make(map[string]any, len(texts))
	known := properties(f.Vars)
	for name, s := range texts {
		out[name] = s
		switch member(known[name], "type") {
		case "integer", "number":
			if n, err := strconv.ParseFloat(s, 64); err == nil {
				out[name] = normal(n)
			}
		case "boolean":
			if b, err := strconv.ParseBool(s); err == nil {
				out[name] = b
			}
		case "object", "array":
			if v, err := decodeJSON([]byte(s)); err == nil {
				out[name] = v
			}
		}
	}
	return out
}
