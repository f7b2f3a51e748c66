package sdk

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// How long the end of a process may take.
const (
	termGrace   = 10 * time.Second       // for running calls, after SIGTERM
	orphanLimit = 800 * time.Millisecond // for closing, when the host is gone
	closeLimit  = 1500 * time.Millisecond
)

// serveHost is the life of a process that a host started: it ends with the host's
// shutdown, the host's death, or SIGTERM.
func serveHost(s *server) int {
	stdio, err := takeStdio()
	if err != nil {
		slog.Error("stdout cannot be guarded", "error", err)
		return exitEnvironment
	}
	setLogger(stdio.err)
	signal.Ignore(os.Interrupt) // the terminal sends it to the whole group; the host decides
	term := make(chan os.Signal, 2)
	signal.Notify(term, syscall.SIGTERM)
	alive := whileHostLives()
	p := servePlugin(s, stdio)

	limit := closeLimit
	select {
	case <-p.served:
		if p.server.Load() == nil {
			return exitEnvironment // go-plugin found no place for its socket, and said so
		}
	case <-alive.Done():
		limit = orphanLimit
	case <-term:
		go func() {
			<-term // somebody is in a hurry
			os.Exit(128 + int(syscall.SIGTERM))
		}()
		slog.Info("draining", "grace", termGrace)
		s.life.drain(alive, termGrace)
	}
	finish(s, limit)
	p.stop()
	return exitOK
}

// finish closes the node, for at most limit: a Close that hangs does not keep the
// process.
func finish(s *server, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.close(ctx)
	}()
	select {
	case <-closed:
	case <-ctx.Done():
		slog.Warn("the node did not close in time", "limit", limit)
	}
}

// whileHostLives ends when stdin does. Only a pipe or a socket has a host at its
// other end; a terminal, a file or /dev/null says nothing.
func whileHostLives() context.Context {
	info, err := os.Stdin.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return context.Background()
	}
	alive, gone := context.WithCancel(context.Background())
	go func() {
		defer gone()
		_, _ = io.Copy(io.Discard, os.Stdin) // any end is the end
	}()
	return alive
}
