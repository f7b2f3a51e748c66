package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// pipes is a listener whose connections are in memory, so that their deadlines are the bubble's.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
}

// local is the server's end of a pipe. It says that a client of this machine is at the other.
type local struct{ net.Conn }

func (local) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.ended:
	default:
		close(p.ended)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// slowly runs a test against a server whose clock is the test's.
func slowly(t *testing.T, test func(t *testing.T, dial func() net.Conn, token string)) {
	f := start(t, func(o *Options) {
		o.Operations = []sdk.OperationManifest{{ID: "demo.send@1", Kind: sdk.KindAction, HTTP: &sdk.Route{Method: "POST", Path: "/api/demo/send/{instance}"}}}
	})
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{make(chan net.Conn), make(chan struct{})}
		server := f.server(f.http.Handler)
		done := make(chan error)
		go func() { done <- server.Serve(l) }()
		test(t, func() net.Conn {
			near, far := net.Pipe()
			l.conns <- local{far}
			t.Cleanup(func() { _ = near.Close() })
			return near
		}, f.account)
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// TestSlowHeaders: a head that comes byte by byte ends after 10 s, whatever is in it.
func TestSlowHeaders(t *testing.T) {
	slowly(t, func(t *testing.T, dial func() net.Conn, _ string) {
		conn, began := dial(), time.Now()
		var sender sync.WaitGroup
		defer sender.Wait()
		defer conn.Close()
		sender.Go(func() {
			_, err := io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: localhost\r\nX: ")
			for err == nil {
				time.Sleep(time.Second)
				_, err = io.WriteString(conn, "x")
			}
		})
		_, _ = io.Copy(io.Discard, conn) // until it is closed
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it was let go on for %v", took)
		}
	})
}

// TestSlowBody: a body that comes byte by byte ends after a minute, and with it the request.
func TestSlowBody(t *testing.T) {
	slowly(t, func(t *testing.T, dial func() net.Conn, token string) {
		conn, began := dial(), time.Now()
		var sender sync.WaitGroup
		defer sender.Wait()
		defer conn.Close()
		sender.Go(func() {
			_, err := fmt.Fprintf(conn, "POST /api/demo/send/shop HTTP/1.1\r\nHost: localhost\r\ntoken: %s\r\nContent-Length: 1000\r\n\r\n{", token)
			for err == nil {
				time.Sleep(time.Second)
				_, err = io.WriteString(conn, " ")
			}
		})
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if took := time.Since(began); err != nil || res.StatusCode != http.StatusBadRequest || took > time.Minute {
			t.Errorf("after %v: %+v %v", took, res, err)
		}
		if res != nil {
			_ = res.Body.Close()
		}
	})
}

// TestSlowReader: who does not read an answer is left after a minute.
func TestSlowReader(t *testing.T) {
	slowly(t, func(t *testing.T, dial func() net.Conn, token string) {
		for _, path := range []string{"/health", "/v1/openapi.json", "/v1/nothing", "/api/nothing"} {
			conn, began := dial(), time.Now()
			if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\ntoken: %s\r\nConnection: close\r\n\r\n", path, token); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
			raw, err := io.ReadAll(conn)
			if len(raw) > 0 || err != nil { // the pipe holds nothing for who does not read
				t.Errorf("%s: after %v there are %d bytes, %v", path, time.Since(began), len(raw), err)
			}
		}
	})
}

// TestRestedConnection: a connection that rests for longer than an answer may take is as good as
// new.
func TestRestedConnection(t *testing.T) {
	slowly(t, func(t *testing.T, dial func() net.Conn, token string) {
		conn := dial()
		in := bufio.NewReader(conn)
		for _, path := range []string{"/v1/openapi.json", "/health", "/v1/openapi.json", "/readyz"} {
			if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\ntoken: %s\r\n\r\n", path, token); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			raw, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusOK || !strings.HasSuffix(string(raw), "\n") {
				t.Errorf("%s: %d %v, %d bytes", path, res.StatusCode, err, len(raw))
			}
			_ = res.Body.Close()
			time.Sleep(100 * time.Second)
		}
	})
}
