package flow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity grades a Finding.
type Severity string

// The two severities: a flow with an error does not run, a flow with only warnings does.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Finding is one thing wrong, or doubtful, in a flow file.
type Finding struct {
	// Pointer is the RFC 6901 JSON Pointer to the place; empty is the whole file.
	Pointer string `json:"pointer"`
	// Node is the id of the node that the place is in, if it is in one.
	Node string `json:"node,omitempty"`
	// Line counts from 1; it is 0 if unknown. Column counts characters from 1 and is set for syntax
	// errors only.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Severity says whether the flow can run.
	Severity Severity `json:"severity"`
	// Code is stable and snake_case.
	Code string `json:"code"`
	// Message says what is wrong.
	Message string `json:"message"`
	// Suggestion says what to do about it. May be empty.
	Suggestion string `json:"suggestion,omitempty"`
}

// String is the finding on one line, without the file's name.
func (f Finding) String() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "%d: ", f.Line)
	}
	fmt.Fprintf(&b, "%s: %s", f.Severity, f.Message)
	if f.Pointer != "" {
		fmt.Fprintf(&b, " (at %s)", f.Pointer)
	}
	if f.Suggestion != "" {
		fmt.Fprintf(&b, ": %s", f.Suggestion)
	}
	return b.String()
}

// InvalidError reports a flow that cannot run, or variables that a flow does not accept, with all
// findings.
type InvalidError struct {
	Findings []Finding
}

// Error names the first error and counts the others.
func (e *InvalidError) Error() string {
	var errs []Finding
	for _, f := range e.Findings {
		if f.Severity == SeverityError {
			errs = append(errs, f)
		}
	}
	switch len(errs) {
	case 0:
		return "invalid input"
	case 1:
		return "invalid input: " + errs[0].String()
	default:
		return fmt.Sprintf("invalid input: %s (and %d more)", errs[0], len(errs)-1)
	}
}

// HasErrors reports whether any finding keeps the flow from running.
func HasErrors(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == SeverityError })
}

// sortFindings puts findings in the order of the file.
func sortFindings(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Pointer, b.Pointer),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
}
