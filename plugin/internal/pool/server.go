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
