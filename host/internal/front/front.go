// Package front stands between the network and the host's handlers. It covers where the host listens, the
// names it answers to, TLS, and the proxies in front of it.
//
// What it guarantees:
//
//   - Tokens do not cross a network unencrypted: the host listens on an address that is not loopback only
//     with TLS, or for named proxies. There it refuses plain requests from anybody else.
//   - The host answers only to its own names, so that a web page cannot reach it under a name that the
//     page's author controls (DNS rebinding).
//   - X-Forwarded-For and X-Forwarded-Proto are trusted from the named proxies alone, and of a chain only
//     the part that these wrote.
//   - A certificate that changes on the disk is loaded without a restart; an invalid one is not used.
//   - Connections are limited in total and by address. Their deadlines come from the server.
package front

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// Options say where to listen. A loopback address needs nothing else.
type Options struct {
	Listen   string   // host:port
	Hosts    []string // names to answer to besides loopback ones
	CertFile string   // PEM, with the chain
	KeyFile  string   // PEM
	Proxies  []string // addresses and prefixes of proxies
	Deny     Deny
	Logger   *slog.Logger
}

// Front holds checked Options.
type Front struct {
	opt      Options
	loopback bool // the listen address is loopback
	hosts    map[string]bool
	proxies  []netip.Prefix
	pair     *pair // nil: no TLS
}

// New checks the options. It reads the certificate, if there is one.
func New(opt Options) (*Front, error) {
	f := &Front{opt: opt, hosts: map[string]bool{}}
	if f.opt.Logger == nil {
		f.opt.Logger = slog.Default()
	}
	host, port, err := net.SplitHostPort(opt.Listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return nil, fmt.Errorf("listen address %q: want host:port, such as 127.0.0.1:8080", opt.Listen)
	}
	f.loopback = isLoopback(host)
	for _, name := range opt.Hosts {
		if !isHostName(name) {
			return nil, fmt.Errorf("host %q: want a name such as bot.example.com, without scheme, port or *", name)
		}
		f.hosts[plainName(name)] = true
	}
	for _, text := range opt.Proxies {
		p, err := prefix(text)
		if err != nil {
			return nil, fmt.Errorf("proxy %q: want an address such as 10.0.0.2, or a prefix such as 10.0.0.0/24", text)
		}
		f.proxies = append(f.proxies, p)
	}
	switch encrypted := opt.CertFile != "" && opt.KeyFile != ""; {
	case (opt.CertFile != "") != (opt.KeyFile != ""):
		return nil, errors.New("TLS needs a certificate and a key: give both --tls-cert and --tls-key, or neither")
	case !f.loopback && len(f.hosts) == 0:
		return nil, fmt.Errorf("listen address %q is not loopback: name the hosts that it answers to with --host", opt.Listen)
	case !f.loopback && !encrypted && len(f.proxies) == 0:
		return nil, fmt.Errorf("listen address %q is not loopback: give --tls-cert and --tls-key, or name the proxy with TLS in front of it with --behind-proxy", opt.Listen)
	case encrypted:
		if f.pair, err = loadPair(opt.CertFile, opt.KeyFile, f.opt.Logger); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Listen binds the address.
func (f *Front) Listen(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", f.opt.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; choose another address with --listen", f.opt.Listen, err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); f.loopback && (!ok || !a.IP.IsLoopback()) { // the resolver decides what localhost is
		return nil, errors.Join(fmt.Errorf("listen address %q is not loopback here: it is %s", f.opt.Listen, l.Addr()), l.Close())
	}
	l = newPlaces(l, f.isProxy)
	if f.pair != nil {
		l = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: f.pair.get, NextProtos: []string{"h2", "http/1.1"}})
	}
	return l, nil
}

// URL returns the address at which a program on this machine reaches the listener that Listen returned.
func (f *Front) URL(l net.Listener) string {
	if f.pair != nil {
		return "https://" + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}

// Public returns the address at which people reach the listener that Listen returned: the first of
// Options.Hosts, if other machines can reach it.
func (f *Front) Public(l net.Listener) string {
	if len(f.opt.Hosts) == 0 || f.loopback && len(f.proxies) == 0 {
		return f.URL(l)
	}
	host := f.opt.Hosts[0]
	_, port, _ := net.SplitHostPort(l.Addr().String()) // always has a port
	switch {
	case f.pair != nil && port != "443":
		host = net.JoinHostPort(host, port)
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	return "https://" + host
}

func prefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

func (f *Front) isProxy(addr netip.Addr) bool {
	for _, p := range f.proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// forwarded reads what a proxy says about a request: its client, and whether it came over TLS.
//
// Each proxy appends the address that it saw to X-Forwarded-For. Everything before the last address that
// is not a proxy's may be made up by the client.
func (f *Front) forwarded(r *http.Request, proxy netip.Addr) (_ *http.Request, secure bool) {
	chain := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	client := proxy
	for i := len(chain) - 1; i >= 0 && f.isProxy(client); i-- {
		addr := addressOf(strings.TrimSpace(chain[i]))
		if !addr.IsValid() {
			break
		}
		client = addr
	}
	protos := strings.Split(strings.Join(r.Header.Values("X-Forwarded-Proto"), ","), ",")
	secure = strings.EqualFold(strings.TrimSpace(protos[len(protos)-1]), "https")
	if client == proxy {
		return r, secure
	}
	r = r.Clone(r.Context())
	r.RemoteAddr = net.JoinHostPort(client.String(), "0") // the port is unknown
	return r, secure
}

// IsHere says whether a request comes from this machine, and not through a proxy on it.
func IsHere(r *http.Request) bool { return Sender(r).IsLoopback() && !passedOn(r.Header) }

// passedOn says whether a request has a header that proxies add. Its presence counts, whatever its value,
// even an empty one.
func passedOn(h http.Header) bool {
	for name := range h {
		switch {
		case strings.HasPrefix(name, "X-Forwarded"), strings.HasPrefix(name, "X-Original"), strings.HasSuffix(name, "-Client-Ip"), strings.HasSuffix(name, "-Connecting-Ip"):
			return true
		}
		switch name {
		case "Forwarded", "Via", "X-Real-Ip", "X-Envoy-External-Address":
			return true
		}
	}
	return false
}
