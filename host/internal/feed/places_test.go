package feed

import (
	"context"
	"strconv"
	"testing"
)

// One token cannot take all places from the others, and places that are given back can be taken
// again.
func TestPlacesArePerToken(t *testing.T) {
	p := NewPlaces()
	var leave []func()
	join := func(token string) error {
		l, err := p.Join(token)
		if err == nil {
			leave = append(leave, l)
		}
		return err
	}
	for range maxStreamsPerToken {
		if err := join("a"); err != nil {
			t.Fatal(err)
		}
	}
	if join("a") == nil {
		t.Error("a token has more streams than it may")
	}
	if err := join("b"); err != nil {
		t.Errorf("another token: %v", err)
	}
	for _, l := range leave {
		l()
	}
	if leave = nil; p.all != 0 || len(p.each) != 0 {
		t.Errorf("left over: %+v", p)
	}
	for i := range maxStreams {
		if err := join(strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	if join("b") == nil {
		t.Error("there are more streams than there may be")
	}
	p.End()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if p.Wait(cancelled) == nil {
		t.Error("streams have ended that have not")
	}
	for _, l := range leave {
		l()
	}
	if err := p.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if join("c") == nil {
		t.Error("a place after the end")
	}
}
