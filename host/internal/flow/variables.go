package flow

import (
	"fmt"
	"maps"
	"strconv"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// Variables returns the variables that a run begins with: the schema's defaults, then what the
// trigger takes from the event, then what the caller gives; later values replace earlier ones. The
// error is an *InvalidError if they do not fit the flow's schema.
func (p *Program) Variables(triggerID string, s Scope, given map[string]any) (map[string]any, error) {
	t, err := p.trigger(triggerID)
	if err != nil {
		return nil, err
	}
	vars := map[string]any{}
	if len(t.Vars) > 0 {
		v, err := t.vars.eval(p.bindTrigger(s))
		if err != nil {
			return nil, &InvalidError{Findings: []Finding{{Pointer: "/vars", Severity: SeverityError, Code: "expression_failed", Message: err.Error()}}}
		}
		maps.Copy(vars, v.(map[string]any))
	}
	maps.Copy(vars, given)
	known := properties(p.flow.Vars)
	var findings []Finding
	for _, name := range keys(vars) {
		if known[name] == nil {
			findings = append(findings, Finding{Pointer: jsonstrict.Pointer("/vars", name), Severity: SeverityError, Code: "unknown_variable",
				Message: fmt.Sprintf("the flow has no variable %q", name), Suggestion: DidYouMean(name, keys(known))})
		}
	}
	vars, _ = p.vars.WithDefaults(vars).(map[string]any)
	for _, f := range p.vars.Findings(vars) {
		findings = append(findings, Finding{Pointer: "/vars" + f.Pointer, Severity: SeverityError, Code: f.Code,
			Message: f.Message, Suggestion: f.Suggestion})
	}
	if len(findings) > 0 {
		sortFindings(findings)
		return nil, &InvalidError{Findings: findings}
	}
	return vars, nil
}

// ParseVars parses variables that are written as text, as on a command line, by the types of the
// flow's schema. A value that cannot be parsed stays a text, which Variables refuses.
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
			if v, err := DecodeJSON([]byte(s)); err == nil {
				out[name] = v
			}
		}
	}
	return out
}
