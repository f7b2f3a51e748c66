package netguard

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

// special are the ranges that are not public hosts: IANA's special-purpose registries (2025-10),
// multicast, deprecated and reserved space, and the clouds' own services.
var special = []string{
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",

	"::/128", "::1/128", "::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001::/32", "2001:1::1/128",
	"2001:1::2/128", "2001:1::3/128", "2001:2::/48", "2001:3::/32", "2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28",
	"2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "2d00::/8", "2e00::/7", "3000::/4", "3ffe::/16", "3fff::/20", "4000::/2", "5f00::/16",
	"8000::/1", "fc00::/7", "fd00:ec2::254/128", "fe80::/10", "fec0::/10", "ff00::/8",
}

func TestSpecialRangesAreRefused(t *testing.T) {
	for _, s := range special {
		prefix := netip.MustParsePrefix(s)
		for _, addr := range []netip.Addr{prefix.Addr(), last(prefix)} {
			for form, a := range forms(addr) {
				if public(a) {
					t.Errorf("%s of %s passes as %s: %s", addr, prefix, form, a)
				}
			}
		}
	}
}

// TestPrivateGuard: private addresses pass, and no other special range does, in any form.
func TestPrivateGuard(t *testing.T) {
	g := &Guard{Private: true}
	open := []string{"10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "::1/128", "fc00::/7"}
	for _, s := range append(special, "100.100.100.200/32", "fd20:ce::254/128", "fd00:42::42/128", "169.254.169.254/32", "169.254.170.23/32", "192.0.0.192/32") {
		prefix := netip.MustParsePrefix(s)
		for _, addr := range []netip.Addr{prefix.Addr(), last(prefix)} {
			for form, a := range forms(addr) {
				sameHost := slices.Contains([]string{"itself", "mapped", "NAT64"}, form)
				if want := slices.Contains(open, s) && sameHost; g.allows(a) != want {
					t.Errorf("%s of %s as %s, %s: allowed is %v", addr, prefix, form, a, !want)
				}
			}
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	for _, s := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "168.63.129.15", "172.15.255.255", "172.32.0.0", "223.255.255.255",
		"2606:4700::1111", "2a00:1450::1", "2001:200::1", "2003::1", "2c0f:ffff::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
	} {
		if !public(netip.MustParseAddr(s)) {
			t.Errorf("%s is refused", s)
		}
	}
}

// Writing an IPv4 address into an IPv6 address never makes it more acceptable.
func FuzzEmbedded(f *testing.F) {
	for _, s := range special {
		if prefix := netip.MustParsePrefix(s); prefix.Addr().Is4() {
			f.Add(binary.BigEndian.Uint32(prefix.Addr().AsSlice()))
			f.Add(binary.BigEndian.Uint32(last(prefix).AsSlice()))
		}
	}
	f.Add(uint32(0x08080808))
	f.Fuzz(func(t *testing.T, v4 uint32) {
		addr := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, v4)))
		for form, a := range forms(addr) {
			sameHost := slices.Contains([]string{"itself", "mapped", "NAT64"}, form)
			if want := sameHost && public(addr); public(a) != want {
				t.Errorf("%s as %s, %s: public is %v", addr, form, a, !want)
			}
		}
	})
}

// forms are the ways to write an address: with a zone, and for IPv4 every standard
// way to embed it.
func forms(addr netip.Addr) map[string]netip.Addr {
	if addr.Is6() {
		return map[string]netip.Addr{"itself": addr, "zoned": addr.WithZone("eth0")}
	}
	b := addr.As4()
	hex := fmt.Sprintf("%02x%02x:%02x%02x", b[0], b[1], b[2], b[3])
	inverted := fmt.Sprintf("%02x%02x:%02x%02x", ^b[0], ^b[1], ^b[2], ^b[3])
	out := map[string]netip.Addr{"itself": addr}
	for form, text := range map[string]string{
		"mapped":       "::ffff:" + hex,
		"mapped zoned": "::ffff:" + hex + "%eth0",
		"compatible":   "::" + hex,
		"translated":   "::ffff:0:" + hex,
		"NAT64":        "64:ff9b::" + hex,
		"NAT64 zoned":  "64:ff9b::" + hex + "%1",
		"NAT64 local":  "64:ff9b:1::" + hex,
		"6to4":         "2002:" + hex + "::1",
		"Teredo":       "2001:0:0808:0808:0:ffff:" + inverted,
		"Teredo host":  "2001:0:" + hex + ":0:ffff:f7f7:f7f7",
		"ISATAP":       "2606:4700::5efe:" + hex,
		"ISATAP, own":  "2606:4700:0:0:200:5efe:" + hex,
		"NAT64 /48":    fmt.Sprintf("64:ff9b:1:%02x%02x:00%02x:%02x00::", b[0], b[1], b[2], b[3]),
	} {
		out[form] = netip.MustParseAddr(text)
	}
	return out
}

func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for bit := p.Bits(); bit < p.Addr().BitLen(); bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}
