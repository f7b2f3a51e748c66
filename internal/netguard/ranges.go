package netguard

import (
	"net/netip"
	"slices"

	"code.dny.dev/ssrf"
)

// registry knows IANA's special-purpose registries and the prefixes added here.
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
	addr = embedded(addr)
	return registry.SafeAddr(addr) == nil && !isatap(addr)
}

// embedded returns the address that is reached in the end: the IPv4 address that an IPv6 one maps,
// or that the standard translator (NAT64) turns it into.
func embedded(addr netip.Addr) netip.Addr {
	addr = addr.Unmap()
	if ssrf.IPv6NAT64Prefix.Contains(addr) {
		return last32(addr)
	}
	return addr
}

// last32 is the IPv4 address in the last 32 bits.
func last32(addr netip.Addr) netip.Addr {
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

// isatap reports whether the address is a tunnel endpoint that holds an IPv4 address (RFC 5214),
// under any prefix.
func isatap(addr netip.Addr) bool {
	b := addr.As16()
	return addr.Is6() && b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

// own are the ranges that private services can have.
var own = prefixes(
	"127.0.0.0/8", "::1/128",
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",
	"100.64.0.0/10", // shared by carriers and overlay networks
	"198.18.0.0/15", // benchmarks, and the made-up answers of some resolvers
)

// metadata are the addresses within those ranges at which a cloud tells each machine about itself,
// keys included.
var metadata = prefixes(
	"100.100.100.200/32", // Alibaba
	"fd00:ec2::/32",      // Amazon
	"fd20:ce::254/128",   // Google
	"fd00:42::42/128",    // Scaleway
)

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// private reports whether an address may be that of a private service.
func private(addr netip.Addr) bool {
	if addr.Zone() != "" || isatap(addr) {
		return false
	}
	addr = embedded(addr)
	in := func(p netip.Prefix) bool { return p.Contains(addr) }
	return slices.ContainsFunc(own, in) && !slices.ContainsFunc(metadata, in)
}
