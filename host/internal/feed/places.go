package feed

import (
	"context"
	"fmt"
	"sync"
)

// How many streams may be open: in all, and for each token, so that one token cannot take them all.
const (
	maxStreams         = 1000
	maxStreamsPerToken = 100
)

// Places counts the open streams of a server and lets them end.
type Places struct {
	mu     sync.Mutex
	all    int
	each   map[string]int
	ended  bool
	ending chan struct{}
	empty  chan struct{} // closed when the last stream has left after End
}

// NewPlaces returns Places of which none is taken.
func NewPlaces() *Places {
	return &Places{each: map[string]int{}, ending: make(chan struct{}), empty: make(chan struct{})}
}

// A FullError says why a stream gets no place.
type FullError struct {
	text string
	// Everywhere means that the server has no place, and not only the token.
	Everywhere bool
}

func (e *FullError) Error() string { return e.text }

// Join takes a place, which leave gives back. The error is a [*FullError].
func (p *Places) Join(token string) (leave func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
		return nil, &FullError{"the server stops; come back in a moment", true}
	case p.each[token] >= maxStreamsPerToken:
		return nil, &FullError{fmt.Sprintf("this token has %d streams open, which is the limit; end one of them", maxStreamsPerToken), false}
	case p.all >= maxStreams:
		return nil, &FullError{fmt.Sprintf("%d streams are open, which is the limit; try again later", maxStreams), true}
	}
	p.all++
	p.each[token]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.all--
		if p.each[token]--; p.each[token] == 0 {
			delete(p.each, token)
		}
		p.closeIfEmpty()
	}, nil
}

// End asks all streams to end; no new stream gets a place.
func (p *Places) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.ended = true
		close(p.ending)
		p.closeIfEmpty()
	}
}

func (p *Places) closeIfEmpty() {
	if p.ended && p.all == 0 {
		close(p.empty)
	}
}

// Wait returns when the last stream has ended after End.
func (p *Places) Wait(ctx context.Context) error {
	select {
	case <-p.empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("end streams: %w", ctx.Err())
	}
}
