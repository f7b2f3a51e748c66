package media

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
)

// policy says which addresses may be dialled.
type policy struct {
	prefixes []netip.Prefix
	hosts    []string
}

func newPolicy(allow []string) (*policy, error) {
	p := &policy{}
	for _, entry := range allow {
		entry = strings.TrimSpace(entry)
		if prefix, err := netip.ParsePrefix(entry); err == nil {
			p.prefixes = append(p.prefixes, prefix.Masked())
		} else if addr, err := netip.ParseAddr(entry); err == nil {
			p.prefixes = append(p.prefixes, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
		} else if entry == "" || strings.ContainsAny(entry, "/:*? ") {
			return nil, fmt.Errorf("allowed media address %q: use a CIDR prefix, an address or a host name", entry)
		} else {
			p.hosts = append(p.hosts, strings.ToLower(strings.TrimSuffix(entry, ".")))
		}
	}
	return p, nil
}

// errAddress is an address that the policy refuses. It does not say which: the
// caller could map the network with the answers.
var errAddress = errors.New("the address is not public")

// dial connects to an address of a URL. The check is made on the address that is
// being connected to, after the name was resolved, so that no name can resolve to
// one address for a check and to another for the connection.
func (p *policy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if !slices.Contains(p.hosts, strings.ToLower(strings.TrimSuffix(host, "."))) {
		dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			target, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			if !p.allows(target.Addr()) {
				return errAddress
			}
			return nil
		}
	}
	return dialer.DialContext(ctx, network, address)
}

func (p *policy) allows(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, prefix := range p.prefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return public(addr)
}

// public reports whether an address belongs to the public internet: the special
// purpose registries of IANA (RFC 6890 and its updates) are not, nor are the
// addresses that lead into a cloud's own services.
func public(addr netip.Addr) bool {
	if addr.Is4() {
		return !slices.ContainsFunc(special4, func(p netip.Prefix) bool { return p.Contains(addr) })
	}
	return global6.Contains(addr) && !slices.ContainsFunc(special6, func(p netip.Prefix) bool { return p.Contains(addr) })
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

var special4 = prefixes(
	"0.0.0.0/8",          // this network
	"10.0.0.0/8",         // private
	"100.64.0.0/10",      // shared by carriers; Alibaba's metadata
	"127.0.0.0/8",        // loopback
	"168.63.129.16/32",   // Azure's services
	"169.254.0.0/16",     // link-local; metadata of most clouds
	"172.16.0.0/12",      // private
	"192.0.0.0/24",       // protocol assignments; Oracle's metadata
	"192.0.2.0/24",       // documentation
	"192.88.99.0/24",     // 6to4 relays
	"192.168.0.0/16",     // private
	"198.18.0.0/15",      // benchmarking
	"198.51.100.0/24",    // documentation
	"203.0.113.0/24",     // documentation
	"224.0.0.0/4",        // multicast
	"240.0.0.0/4",        // reserved
	"255.255.255.255/32", // broadcast
)

// global6 is all that IANA has given out for unicast; what is outside includes
// loopback, unique local, link-local, mapped and translated addresses.
var global6 = netip.MustParsePrefix("2000::/3")

var special6 = prefixes(
	"2001::/23",     // protocol assignments, Teredo
	"2001:db8::/32", // documentation
	"2002::/16",     // 6to4: holds an IPv4 address
	"3fff::/20",     // documentation
)
