package sdk

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/tapnode/tapnode/internal/lossy"
)

// stdioGuard keeps everything but the handshake line away from the real stdout, and keeps the
// process from waiting for the reader of its stderr.
type stdioGuard struct {
	log      *lossy.Writer // to the real stderr
	unheard  chan struct{} // closed when the handshake could not be written because nobody reads stdout
	out      *os.File      // the value of os.Stdout; what is written to it ends in log
	err      *os.File      // the real stderr
	copied   chan struct{} // closed when everything written to out is in log
	restored sync.Once
}

// takeStdio moves stdout away before anything can print: file descriptor 1 becomes stderr, and
// os.Stdout a pipe from which only the handshake line reaches the real stdout. This also covers C
// code and code that has kept the old os.Stdout.
func takeStdio() (*stdioGuard, error) {
	stdout, stderr, err := splitStdio()
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	os.Stdout = w
	g := &stdioGuard{log: lossy.New(stderr, linesDropped), unheard: make(chan struct{}), copied: make(chan struct{}), out: w, err: stderr}
	go func() {
		defer close(g.copied)
		passHandshake(r, stdout, g.log, func() { close(g.unheard) })
	}()
	return g, nil
}

// close waits a moment until everything printed and logged has reached stderr.
func (g *stdioGuard) close() {
	_ = g.out.Close()
	select {
	case <-g.copied:
	case <-time.After(lossy.MaxWait): // a process that the author started may hold it open, too
	}
	g.log.Close()
}

// passHandshake writes the first line that is go-plugin's handshake to stdout and everything else
// to the log. It calls unheard if nobody has stdout open any more, and returns when from ends.
func passHandshake(from io.Reader, stdout io.WriteCloser, log io.Writer, unheard func()) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if isHandshake(line) {
			if _, err := io.WriteString(stdout, line); err != nil {
				unheard()
			}
			_ = stdout.Close()
			break
		}
		_, _ = io.WriteString(log, line)
		if err != nil {
			return
		}
	}
	_, _ = io.Copy(log, lines)
}

// isHandshake recognizes go-plugin's line: core|version|network|address|protocol|cert.
func isHandshake(line string) bool {
	fields := strings.Split(line, "|")
	return len(fields) >= 5 && fields[0] == "1" && (fields[2] == "unix" || fields[2] == "tcp") && strings.TrimSpace(fields[4]) == "grpc"
}

// restore sets the standard streams back to stderr. After its handshake go-plugin replaces them
// with pipes that block when no host reads them; the first call arrives after that.
func (g *stdioGuard) restore() {
	g.restored.Do(func() { os.Stdout, os.Stderr = g.out, g.err })
}

func (g *stdioGuard) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	g.restore()
	return handler(ctx, req)
}

func (g *stdioGuard) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	g.restore()
	return handler(srv, stream)
}
