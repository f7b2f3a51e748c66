package netguard

import (
	"net/netip"

	"code.dny.dev/ssrf"
)

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
