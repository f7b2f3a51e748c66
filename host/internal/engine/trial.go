package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/tapnode/tapnode/host/internal/flow"
)

// UnfitError means that a version cannot run.
type UnfitError struct {
	Version int
	Invalid *flow.InvalidError // why
}

// Error names the version and the first fault.
func (e *UnfitError) Error() string { return fmt.Sprintf("version %d: %v", e.Version, e.Invalid) }

// Unwrap returns why the version cannot run.
func (e *UnfitError) Unwrap() error { return e.Invalid }

// wanted is the program that a request asks for. A run of a version that is not published is a
// trial: the version is kept for it from now on.
func (e *Engine) wanted(ctx context.Context, r Request) (p *flow.Program, trial bool, err error) {
	served := e.served.Load().byFlow[r.Flow]
	if r.Version == 0 {
		if served == nil {
			err = fmt.Errorf("flow %q: %w", r.Flow, ErrUnknownFlow)
		}
		return served, false, err
	}
	v, err := e.Version(ctx, r.Flow, r.Version)
	if err != nil {
		return nil, false, err
	}
	if served != nil && v.State == Published && v.Digest == served.Flow().Digest {
		return served, false, nil
	}
	if e.compile == nil {
		return nil, false, fmt.Errorf("flow %q: %w in this process", r.Flow, ErrUnknownFlow)
	}
	p, err = e.compile(v.Flow, v.Source)
	if bad, ok := errors.AsType[*flow.InvalidError](err); ok {
		return nil, false, &UnfitError{v.Number, bad}
	}
	if err == nil {
		err = e.log.Try(ctx, versionOf(p, Trial))
	}
	if err == nil {
		err = e.remember(p)
	}
	return p, true, err
}

// takes returns an error when a trigger would start no run for an event that has passed its filter.
// Without an event it checks only that the trigger exists.
func takes(p *flow.Program, trigger string, data any) error {
	if _, err := p.Trigger(trigger); err != nil {
		var known []string
		for _, t := range p.Flow().Triggers {
			known = append(known, t.ID)
		}
		return badEvent("/trigger", "unknown_trigger", flow.DidYouMean(trigger, known), "the flow has no trigger %.80q", trigger)
	}
	if data == nil {
		return nil
	}
	if size := flow.Size(data); size > maxEvent {
		return badEvent("/event", "too_large", "", "it has about %d bytes; the limit is %d", size, maxEvent)
	}
	if findings := p.EventFindings(trigger, data); len(findings) > 0 {
		return fmt.Errorf("%w: %w", ErrBadEvent, &flow.InvalidError{Findings: findings})
	}
	ok, err := p.Match(trigger, data)
	if err != nil {
		return badEvent("/event", "expression_failed", "", "%v", err)
	}
	if !ok {
		return badEvent("/event", "not_taken", "", "the trigger %s does not take it: its words or its condition are others", trigger)
	}
	return nil
}

func badEvent(pointer, code, suggestion, format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrBadEvent, &flow.InvalidError{Findings: []flow.Finding{{Pointer: pointer, Severity: flow.SeverityError, Code: code,
		Message: fmt.Sprintf(format, args...), Suggestion: suggestion}}})
}
