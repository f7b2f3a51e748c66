package wasim_test

import (
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// BenchmarkText is one warm message from phone to phone and its receipt back: two clients and the server together.
// The server's share is what pprof shows under conn.serve.
func BenchmarkText(b *testing.B) {
	s, err := wasim.Start(wasim.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	s.Trust()
	ctx := b.Context()
	from, err := s.NewPhone(ctx, "5511999990000")
	if err != nil {
		b.Fatal(err)
	}
	to, err := s.NewPhone(ctx, "5511988880001")
	if err != nil {
		b.Fatal(err)
	}
	var last string
	send := func(p *wasim.Phone, q *wasim.Phone) {
		if last, err = p.SendText(ctx, q.LID(), "hello"); err != nil {
			b.Fatal(err)
		}
	}
	send(from, to)
	if _, err := to.WaitID(ctx, last); err != nil {
		b.Fatal(err)
	}
	send(to, from)
	if _, err := from.WaitID(ctx, last); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		send(from, to)
	}
	if _, err := to.WaitID(ctx, last); err != nil {
		b.Fatal(err)
	}
}
