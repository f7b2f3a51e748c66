// Package jqguard runs jq programs of people who may be careless or hostile, in the
// process of the host.
//
// A program is rewritten before it runs: every function and operator whose cost depends
// on a value pays a meter before it works, and every step of the machine is counted. What
// has no price cannot be called.
//
// # What it guarantees
//
//   - One run takes no more memory and time than its budget allows, whatever the program
//     and its input are: some ten MiB, and a fraction of a second.
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

// ErrCost is a program that would cost more than its budget.
var ErrCost = errors.New("the program costs more than it may: use a smaller input or fewer steps")

// Program is a jq program that can run. It does not change.
type Program struct{ query *gojq.Query }

// Compile reads a program and refuses what it may not use.
func Compile(src string) (*Program, error) {
	q, err := gojq.Parse(src)
	if err != nil {
		return nil, fmt.Errorf("it is no jq program: %w", err)
	}
	g := &guard{}
	g.query(q, scope{})
	if g.err != nil {
		return nil, g.err
	}
	p := &Program{q}
	if _, err := p.code(newMeter()); err != nil {
		return nil, fmt.Errorf("it is no jq program: %w", err)
	}
	return p, nil
}

func (p *Program) code(m *meter) (*gojq.Code, error) {
	return gojq.Compile(p.query, m.functions()...)
}

// Run gives the program's one result for an input of JSON values. The error is ErrCost,
// the context's, or what the program did wrong.
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
	case m.spent || counted.left < 0: // whatever the program made of it
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

// steps is a context that gojq asks before each step of its machine whether to go on.
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
