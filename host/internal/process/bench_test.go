package process

import (
	"io"
	"log/slog"
	"os"
	"testing"
)

// BenchmarkLife measures a start until the node is ready, including certificates, and
// an orderly stop.
func BenchmarkLife(b *testing.B) {
	dir, err := os.MkdirTemp("", "tn")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	run, err := openRunDirIn(dir)
	if err != nil {
		b.Fatal(err)
	}
	n, err := New(Spec{
		Name: "n", Path: self(), Args: []string{"good"}, StateDir: dir + "/state", RunDir: run,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := n.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := n.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkClient measures what the supervisor adds to a call.
func BenchmarkClient(b *testing.B) {
	s := &Supervisor{}
	s.session.Store(&session{})
	for b.Loop() {
		if _, err := s.Client(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
