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

// Server is a WhatsApp server other than the real one, for tests and simulation.
// It counts for the whole process, because whatsmeow keeps the trusted root key in
// a package variable (whatsmeow.WACertPubKey).
type Server struct {
	addr string
	root [32]byte
}

// ParseServer reads the settings server.url and server.rootKey. The server must be
// on the loopback interface: with a foreign root key nothing authenticates it.
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

// transport is what every client of the pool dials with, shared so that idle
// connections have one owner. With a Server every host leads to it: a dialler that
// returns a bare connection where TLS was asked for makes net/http speak plain HTTP
// on it, so no certificate is involved and nothing else is reachable. What it opens is among the wires.
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

// goodbye is how long a pool that closes waits for WhatsApp to answer the end of its connections. whatsmeow would wait for
// five seconds (websocket.Conn.Close), in which a host wants the whole node to be closed.
const goodbye = time.Second

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// wires are the TCP connections that a pool has open.
type wires struct {
	mu   sync.Mutex
	open map[*wire]struct{}
}

func newWires() *wires { return &wires{open: map[*wire]struct{}{}} }

// wire is one of them.
type wire struct {
	net.Conn
	of *wires
}

// through dials as dial does, and keeps what it opens.
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

// cut ends all of them, whoever waits for an answer on one.
func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.open {
		_ = one.Conn.Close() // its user closes it once more
	}
}
