package pool

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
)

// Server is a WhatsApp server other than the real one, for tests and simulation. It applies to the
// whole process, because whatsmeow keeps the trusted root key in a package variable
// (whatsmeow.WACertPubKey).
type Server struct {
	addr string
	root [32]byte
}

// ParseServer parses the settings server.url and server.rootKey. The server must be on the loopback
// interface, because with another root key nothing authenticates it.
func ParseServer(rawURL, rootKey string) (*Server, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("server.url: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "ws" {
		return nil, fmt.Errorf("server.url: scheme %q is not http or ws", u.Scheme)
	}
	addr, err := netip.ParseAddrPort(u.Host)
	if err != nil || !addr.Addr().IsLoopback() || addr.Port() == 0 {
		return nil, fmt.Errorf("server.url: %q is not a loopback address with a port, such as http://127.0.0.1:4100", u.Host)
	}
	key, err := hex.DecodeString(rootKey)
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("server.rootKey: want 32 bytes in hex (64 digits)")
	}
	return &Server{addr: addr.String(), root: [32]byte(key)}, nil
}

var trustOnce sync.Mutex

// trust makes whatsmeow accept the server's certificate instead of WhatsApp's.
func (s *Server) trust() {
	trustOnce.Lock()
	defer trustOnce.Unlock()
	if whatsmeow.WACertPubKey != s.root {
		whatsmeow.WACertPubKey = s.root
	}
}

// transport returns the transport that every client of the pool dials with, shared so that idle
// connections have one owner. With a Server every host name leads to it: if a dialler returns a
// bare connection where TLS was requested, net/http speaks plain HTTP on it, so no certificate is
// involved and nothing else is reachable. w tracks the connections it opens.
func transport(s *Server, w *wires) *http.Transport {
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            w.through((&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext),
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  time.Minute,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    16,
		ForceAttemptHTTP2:      true,
		OnProxyConnectResponse: askedProxy,
	}
	if s != nil {
		dial := w.through(func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", s.addr)
		})
		t.Proxy, t.DialContext, t.DialTLSContext, t.ForceAttemptHTTP2 = nil, dial, dial, false
	}
	return t
}

// goodbye is how long a closing pool waits for WhatsApp to answer the end of its connections.
// whatsmeow would wait five seconds (websocket.Conn.Close), but a host expects the whole node to
// have closed within that time.
const goodbye = time.Second

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// wires are the TCP connections that a pool has open.
type wires struct {
	mu   sync.Mutex
	open map[*wire]struct{}
}

func newWires() *wires { return &wires{open: map[*wire]struct{}{}} }

// wire is one of those connections.
type wire struct {
	net.Conn
	of *wires
}

// through wraps dial so that the connections it opens are tracked.
func (w *wires) through(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		one := &wire{conn, w}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.open[one] = struct{}{}
		return one, nil
	}
}

func (o *wire) Close() error {
	o.of.mu.Lock()
	delete(o.of.open, o)
	o.of.mu.Unlock()
	return o.Conn.Close()
}

// cut closes all connections, even if someone is waiting for an answer on one.
func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.open {
		_ = one.Conn.Close() // its user closes it again
	}
}
