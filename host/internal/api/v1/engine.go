package v1

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// refused turns an error of the engine into a problem for the caller; nil stays nil.
func (a *API) refused(err error) error {
	if err == nil {
		return nil
	}
	if bad, ok := errors.AsType[*flow.InvalidError](err); ok {
		detail := "the flow cannot run"
		if more := len(bad.Findings) - mostFaults; more > 0 {
			detail += fmt.Sprintf("; %d more findings are not told here: tapnode validate prints all", more)
		}
		return refuse(http.StatusUnprocessableEntity, "invalid_flow", detail, faultsIn(bad.Findings)...)
	}
	status, code := http.StatusConflict, "unknown_flow"
	switch {
	case errors.Is(err, engine.ErrBadQuery):
		status, code = http.StatusBadRequest, "invalid_request"
	case errors.Is(err, engine.ErrNotFound):
		status, code = http.StatusNotFound, "not_found"
	case errors.Is(err, run.ErrNoRetry):
		code = "no_retry"
	case errors.Is(err, run.ErrNoResume):
		code = "no_resume"
	case errors.Is(err, engine.ErrFull):
		code = "full"
	case errors.Is(err, engine.ErrUnknownFlow):
	default:
		a.logger.Error("a request for runs or flows failed", "err", err)
		return refuse(http.StatusServiceUnavailable, "unavailable", "it could not be done; try again").with("Retry-After", "1")
	}
	return refuse(status, code, err.Error())
}

// mostFaults limits the faults in a refusal, so that the answer to a document full of mistakes is not
// many times its size.
const mostFaults = 250

// faultsIn converts the first mostFaults findings in a flow file or in the variables of a run.
func faultsIn(findings []flow.Finding) []fault {
	findings = findings[:min(len(findings), mostFaults)]
	out := make([]fault, 0, len(findings))
	for _, f := range findings {
		out = append(out, fault{Pointer: f.Pointer, Node: f.Node, Line: f.Line, Column: f.Column, Severity: f.Severity, Code: f.Code, Message: f.Message, Suggestion: f.Suggestion})
	}
	return out
}
