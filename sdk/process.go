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

// LifelineKey names the environment variable by which a host says that it keeps a pipe to the node
// open for as long as the host lives. [LifelineStdin] is the only value: the pipe is the node's
// stdin, and when it ends the host has ended. Without the variable stdin is not read, because it
// may belong to another program: a plain go-plugin host shares its own.
const (
	LifelineKey   = "FLOWNODE_LIFELINE"
	LifelineStdin = "stdin"
)

// parentEvery is how often a process checks whether its parent still lives.
const parentEvery = 200 * time.Millisecond

// parent is the process that started this one. When the parent process changes, the host has died.
var parent = os.Getppid()

// Time limits for the end of a process.
const (
	termGrace   = 10 * time.Second       // for running calls, after SIGTERM
	orphanLimit = 800 * time.Millisecond // for closing, when the host is gone
	closeLimit  = 1500 * time.Millisecond
)

// serveHost runs a process that a host started, until the host's shutdown, the host's death, or
// SIGTERM.
func serveHost(s *server) int {
	stdio, err := takeStdio()
	if err != nil {
		slog.Error("stdout cannot be guarded", "error", err)
		return exitEnvironment
	}
	defer stdio.close()
	setLogger(stdio.log)
	signal.Ignore(os.Interrupt) // the terminal sends it to the whole process group; the host decides
	// A write to a stderr that nobody reads then fails, instead of ending the process.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	term := make(chan os.Signal, 2)
	signal.Notify(term, syscall.SIGTERM)
	alive := whileHostLives()
	p := servePlugin(s, stdio)

	limit := closeLimit
	select {
	case <-p.served:
		if p.server.Load() == nil {
			return exitEnvironment // go-plugin found no place for its socket, and has printed an error
		}
	case <-alive.Done():
		limit = orphanLimit
	case <-stdio.unheard:
		limit = orphanLimit
	case <-term:
		go func() {
			<-term // a second SIGTERM: exit at once
			os.Exit(128 + int(syscall.SIGTERM))
		}()
		slog.Info("draining", "grace", termGrace)
		s.life.drain(alive, termGrace)
	}
	finish(s, limit)
	p.stop()
	return exitOK
}

// finish closes the node within limit: a Close that hangs does not keep the process alive.
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

// whileHostLives returns a context that ends when the parent of this process does and, if the host
// has said that it holds stdin, when stdin does.
func whileHostLives() context.Context {
	alive, gone := context.WithCancel(context.Background())
	go func() { // until the process ends
		defer gone()
		for os.Getppid() == parent {
			time.Sleep(parentEvery)
		}
	}()
	if os.Getenv(LifelineKey) == LifelineStdin {
		go func() {
			defer gone()
			_, _ = io.Copy(io.Discard, os.Stdin) // EOF and an error both mean that the host is gone
		}()
	}
	return alive
}
