//go:build linux

package process

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tapnode/tapnode/internal/buildtest"
)

// badnodePath builds sdk/nodetest/badnode once, into TestMain's directory.
var badnodePath = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "badnode")
	return path, buildtest.Program(context.Background(), "sdk/nodetest/badnode", path)
})

// bad prepares a badnode with instructions such as "start:print".
func bad(t *testing.T, orders string, change ...func(*Spec)) *node {
	t.Helper()
	path, err := badnodePath()
	if err != nil {
		t.Fatal(err)
	}
	return newNode(t, orders, append([]func(*Spec){func(s *Spec) {
		s.Path = path
		if orders == "" {
			s.Args = nil
		}
	}}, change...)...)
}

// startedBad starts a badnode and waits until it is ready.
func startedBad(t *testing.T, orders string, change ...func(*Spec)) *node {
	t.Helper()
	n := bad(t, orders, change...)
	if err := n.Start(n.soon()); err != nil {
		t.Fatal(err)
	}
	return n
}

// misbehave makes a badnode do something bad during a call.
func (n *node) misbehave(what string) error {
	n.t.Helper()
	_, err := n.call("bad.do@1", map[string]string{"what": what})
	return err
}

// echoes checks that a badnode takes calls and returns the given input.
func (n *node) echoes(text string) {
	n.t.Helper()
	out, err := n.call("bad.echo@1", map[string]string{"text": text})
	if want := `{"text":"` + text + `"}`; err != nil || string(out) != want {
		n.t.Fatalf("the node said %.100q, %v", out, err)
	}
}
