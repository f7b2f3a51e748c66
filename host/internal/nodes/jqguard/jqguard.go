// Package jqguard runs jq programs, whose authors may be careless or hostile, in the
// process of the host.
//
// A program is rewritten before it runs: every function and operator whose cost depends
// on a value pays a meter before it works, and every step of gojq's machine is counted. A
// function without a price cannot be called.
//
// # What it guarantees
//
//   - Whatever the program and its input are, one run takes no more memory and time than
//     its budget allows: some ten MiB, and a fraction of a second.
//   - A program sees its input and nothing else: no clock, no environment, no files.
//   - Equal programs and inputs give equal results.
package jqguard

import (
	"context"
	"errors"
	"fmt"

	"github.com/itchyny/gojq"
)

// Budgets of one run.
const (
	maxWork  = 8 << 20   // units: about a byte read or written each
	maxSteps = 1_000_000 // of gojq's machine
)

// ErrCost means that a program would cost more than its budget.
var ErrCost = errors.New("the program costs more than it may: use a smaller input or fewer steps")

// Program is a compiled jq program. It is immutable.
type Program struct{ query *gojq.Query }

// Compile parses a program and refuses one that uses something it must not.
func Compile(src string) (*Program, error) {
	q, err := gojq.Parse(src)
	if err != nil {
		return nil, fmt.Errorf("it is not a jq program: %w", err)
	}
	g := &guard{}
	g.query(q, scope{})
	if g.err != nil {
		return nil, g.err
	}
	p := &Program{q}
	if _, err := p.code(newMeter()); err != nil {
		return nil, fmt.Errorf("it is not a jq program: %w", err)
	}
	return p, nil
}

func (p *Program) code(m *meter) (*gojq.Code, error) {
	return gojq.Compile(p.query, m.functions()...)
}

// Run returns the program's only result for an input of JSON values. The error is ErrCost, that of
// the context, or a failure of the program itself.
func (p *Program) Run(ctx context.Context, input any) (any, error) {
	m := newMeter()
	code, err := p.code(m)
	if err != nil {
		return nil, err
	}
	counted := &steps{Context: ctx, left: maxSteps}
	results := code.RunWithContext(counted, input)
	value, err := next(results)
	switch {
	case m.spent || counted.left < 0: // even if the program caught the error
		return nil, ErrCost
	case errors.Is(err, errNone):
		return nil, errors.New("the program has no result")
	case err != nil:
		return nil, err
	}
	if _, err := next(results); !errors.Is(err, errNone) {
		if m.spent || counted.left < 0 {
			return nil, ErrCost
		}
		return nil, errors.New("the program has several results: put it into [ ]")
	}
	if !m.pay(1, value) {
		return nil, ErrCost
	}
	return value, nil
}

var errNone = errors.New("there is no result")

func next(results gojq.Iter) (any, error) {
	v, ok := results.Next()
	if !ok {
		return nil, errNone
	}
	if err, bad := v.(error); bad {
		return nil, err
	}
	return v, nil
}

// steps is a context that counts the steps of a program: gojq asks it before each step of its
// machine whether to continue.
type steps struct {
	context.Context
	left int
}

var stopped = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Done implements context.Context.
func (s *steps) Done() <-chan struct{} {
	if s.left--; s.left < 0 {
		return stopped
	}
	return s.Context.Done()
}

// Err implements context.Context.
func (s *steps) Err() error {
	if s.left < 0 {
		return ErrCost
	}
	return s.Context.Err()
}
