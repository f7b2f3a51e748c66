package sdk

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"
	"sync"

	"google.golang.org/grpc"
)

// stdioGuard keeps everything but the handshake line away from the real stdout.
type stdioGuard struct {
	err    *os.File // the real stderr
	settle sync.Once
}

// takeStdio moves stdout away before anything can print: file descriptor 1
// becomes stderr, and os.Stdout a pipe of which only the handshake line reaches
// the real stdout. It holds for C code and for those who kept os.Stdout.
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
	go passHandshake(r, stdout, stderr)
	return &stdioGuard{err: stderr}, nil
}

// passHandshake gives the first line that is go-plugin's handshake to stdout and
// everything else to stderr. It ends with the process.
func passHandshake(from io.Reader, stdout io.WriteCloser, stderr io.Writer) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if isHandshake(line) {
			_, _ = io.WriteString(stdout, line)
			_ = stdout.Close()
			break
		}
		_, _ = io.WriteString(stderr, line)
		if err != nil {
			return
		}
	}
	_, _ = io.Copy(stderr, lines)
}

// isHandshake knows go-plugin's line: core|version|network|address|protocol|cert.
func isHandshake(line string) bool {
	fields := strings.Split(line, "|")
	return len(fields) >= 5 && fields[0] == "1" && (fields[2] == "unix" || fields[2] == "tcp") && strings.TrimSpace(fields[4]) == "grpc"
}

// settled puts the standard streams back on the real stderr. go-plugin replaces
// them, after its handshake, with pipes that block when no host reads them; the
// first call comes after that.
func (g *stdioGuard) settled() {
	g.settle.Do(func() { os.Stdout, os.Stderr = g.err, g.err })
}

func (g *stdioGuard) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	g.settled()
	return handler(ctx, req)
}

func (g *stdioGuard) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	g.settled()
	return handler(srv, stream)
}
