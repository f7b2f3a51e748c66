// Package netguard is the one guard of outgoing addresses: whoever follows a URL
// that came from outside dials through it.
//
// What the package guarantees:
//
//   - Only addresses of the public internet are dialled, unless the guard's owner
//     allows more. No range of IANA's special-purpose registries is public, nor is
//     a reserved one, an address with a zone, a cloud's own service, or an IPv6
//     form (mapped, translated, tunnelled) of such an IPv4 address.
//   - The check is made on the address that is being connected to, after the name
//     was resolved, so no name can resolve to one address for the check and to
//     another for the connection.
//   - No error names an address that a name resolved to, nor the resolver: whoever
//     reads the errors cannot map the network behind the guard with them.
//
// What it cannot know: a network's own translation prefix (RFC 6052, section 2.2)
// looks like any other global address. The translator must refuse private targets.
package netguard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// ErrRefused is an address that the guard does not let through.
var ErrRefused = errors.New("the address is not public")

// dialTimeout is for one connection, from the lookup of the name.
const dialTimeout = 10 * time.Second

// Guard dials what it allows. The zero value allows public addresses only. It is
// safe for concurrent use.
type Guard struct {
	// Open allows every address.
	Open bool

	prefixes []netip.Prefix
	hosts    []string
	resolver *net.Resolver // nil: the system's
}

// New makes a guard that also allows what the entries name: a CIDR prefix
// ("10.0.0.0/8"), an address, or a host name ("media.internal", whatever it
// resolves to). The error names an entry that is none of them.
func New(allow ...string) (*Guard, error) {
	g := &Guard{}
	for _, entry := range allow {
		entry = strings.TrimSpace(entry)
		if prefix, err := netip.ParsePrefix(entry); err == nil {
			g.prefixes = append(g.prefixes, prefix.Masked())
		} else if addr, err := netip.ParseAddr(entry); err == nil {
			addr = plain(addr)
			g.prefixes = append(g.prefixes, netip.PrefixFrom(addr, addr.BitLen()))
		} else if entry == "" || strings.ContainsAny(entry, "/:*? ") {
			return nil, fmt.Errorf("allowed address %q: use a CIDR prefix, an address or a host name", entry)
		} else {
			g.hosts = append(g.hosts, hostKey(entry))
		}
	}
	return g, nil
}

// DialContext has the shape of http.Transport.DialContext. An error about the
// connection is a *net.OpError; it wraps ErrRefused if no address was allowed.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: dialTimeout, Resolver: g.resolver}
	if !g.Open && !slices.Contains(g.hosts, hostKey(host)) {
		dialer.ControlContext = g.control
	}
	c, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, anonymous(err)
	}
	return conn{c}, nil
}

// control sees each address that is about to be connected to.
func (g *Guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || !g.allows(target.Addr()) {
		return ErrRefused
	}
	return nil
}

func (g *Guard) allows(addr netip.Addr) bool {
	for _, prefix := range g.prefixes {
		if prefix.Contains(plain(addr)) {
			return true
		}
	}
	return public(addr)
}

func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

func hostKey(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

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

// withoutResolver rewrites a failed lookup, which names the resolver also in its text.
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

// registry knows IANA's special-purpose registries. The rest is ours.
var registry = ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork(),
	ssrf.WithDeniedV4Prefixes(
		netip.MustParsePrefix("168.63.129.16/32"), // Azure's own services, reachable from every machine there
	),
	ssrf.WithDeniedV6Prefixes( // unicast that IANA keeps in reserve
		netip.MustParsePrefix("2d00::/8"),
		netip.MustParsePrefix("2e00::/7"),
		netip.MustParsePrefix("3000::/4"),
	),
)

// public reports whether an address is that of a host on the public internet.
func public(addr netip.Addr) bool {
	if addr.Zone() != "" {
		return false
	}
	addr = addr.Unmap()
	if ssrf.IPv6NAT64Prefix.Contains(addr) {
		addr = last32(addr) // what the translator will connect to
	}
	return registry.SafeAddr(addr) == nil && !isatap(addr)
}

// last32 is the IPv4 address in the last 32 bits.
func last32(addr netip.Addr) netip.Addr {
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

// isatap reports whether the address is a tunnel's end that holds an IPv4 address
// (RFC 5214), under any prefix.
func isatap(addr netip.Addr) bool {
	b := addr.As16()
	return addr.Is6() && b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}
