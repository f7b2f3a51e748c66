// Package netguard guards outgoing connections: all code that follows a URL from outside dials
// through it.
//
// What the package guarantees:
//
//   - Only addresses of the public internet are dialled, and, if [Guard.Private] is set, those of
//     this machine and of private networks. Every other range of IANA's special-purpose registries
//     is always refused: link-local, multicast, unspecified, reserved. So are addresses with a
//     zone, the metadata services of clouds, and IPv6 forms (mapped, translated, tunnelled) of all
//     of them.
//   - The check is made on the address that is being connected to, after the name
//     was resolved, so no name can resolve to one address for the check and to
//     another for the connection.
//   - No error names the resolver or an address that a name resolved to, so nobody can use the
//     errors to map the network behind the guard.
//
// What it cannot know: a network's own translation prefix (RFC 6052, section 2.2)
// looks like any other global address. The translator must refuse private targets.
package netguard

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// ErrRefused is returned for an address that the guard does not allow.
var ErrRefused = errors.New("the address is not public")

// dialTimeout bounds one connection attempt, including the lookup of the name.
const dialTimeout = 10 * time.Second

// Guard dials what it allows. The zero value allows public addresses only. It is
// safe for concurrent use.
type Guard struct {
	// Private also allows addresses of this machine and of private networks.
	Private bool

	resolver *net.Resolver // nil: the system's
}

// DialContext has the shape of http.Transport.DialContext. An error about the
// connection is a *net.OpError; it wraps ErrRefused if no address was allowed.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: dialTimeout, Resolver: g.resolver, ControlContext: g.control}
	c, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, anonymous(err)
	}
	return conn{c}, nil
}

// control checks each address just before the connection is made.
func (g *Guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || !g.allows(target.Addr()) {
		return ErrRefused
	}
	return nil
}

// CheckHost refuses the host of a URL if the guard would never dial it. Names are resolved and
// checked when they are dialled, except those of the machine itself, which are checked here.
func (g *Guard) CheckHost(host string) error {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		name = "127.0.0.1"
	}
	if addr, err := netip.ParseAddr(name); err == nil && !g.allows(addr) {
		return ErrRefused
	}
	return nil
}

func (g *Guard) allows(addr netip.Addr) bool {
	return public(addr) || g.Private && private(addr)
}

// conn is a connection whose errors name no address.
type conn struct{ net.Conn }

func (c conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, anonymous(err)
}

func (c conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, anonymous(err)
}

// anonymous takes the addresses and the resolver out of an error of package net.
func anonymous(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return &net.OpError{Op: op.Op, Net: op.Net, Err: withoutResolver(op.Err)}
	}
	return err
}

// withoutResolver rewrites the error of a failed lookup, whose text names the resolver, too.
func withoutResolver(err error) error {
	dns, ok := errors.AsType[*net.DNSError](err)
	if !ok {
		return err
	}
	out := &net.DNSError{Name: dns.Name, IsNotFound: dns.IsNotFound, IsTimeout: dns.IsTimeout, IsTemporary: dns.IsTemporary}
	if errors.Is(dns.UnwrapErr, context.Canceled) || errors.Is(dns.UnwrapErr, context.DeadlineExceeded) {
		out.UnwrapErr = dns.UnwrapErr
	}
	switch {
	case dns.IsNotFound:
		out.Err = "no such host"
	case dns.IsTimeout:
		out.Err = "the lookup took too long"
	default:
		out.Err = "the lookup failed"
	}
	return out
}
