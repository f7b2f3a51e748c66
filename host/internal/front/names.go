package front

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
)

// Deny answers a request with a refusal.
type Deny func(w http.ResponseWriter, r *http.Request, status int, code, message string)

// Handler passes a request on to next if it is for this host, with the address of its sender in
// RemoteAddr.
func (f *Front) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer := Sender(r)
		if !f.answers(r.Host, peer) {
			status := http.StatusForbidden
			if r.TLS != nil { // a browser may have reused a connection to another name of the certificate
				status = http.StatusMisdirectedRequest
			}
			f.opt.Deny(w, r, status, "forbidden", "this server does not answer to that host name; --host names those that it answers to")
			return
		}
		secure := r.TLS != nil
		switch {
		case f.isProxy(peer):
			r, secure = f.forwarded(r, peer)
		case !secure && !f.loopback && !peer.IsLoopback():
			f.opt.Deny(w, r, http.StatusForbidden, "forbidden", "this server is behind a proxy and answers to that alone")
			return
		}
		if secure {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
			r = r.WithContext(context.WithValue(r.Context(), secureKey{}, true))
		}
		next.ServeHTTP(w, r)
	})
}

type secureKey struct{}

// Secure says whether a request came over TLS, to this host or to one of its proxies.
func Secure(r *http.Request) bool { return r.Context().Value(secureKey{}) != nil }

// FromItself says whether the Origin header of a request names this host.
func FromItself(r *http.Request) bool {
	scheme := "http://"
	if Secure(r) {
		scheme = "https://"
	}
	named := r.Header.Values("Origin")
	return len(named) == 1 && strings.EqualFold(named[0], scheme+r.Host)
}

// answers says whether a Host header names this host. Loopback names count only from this machine.
func (f *Front) answers(host string, peer netip.Addr) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if name = plainName(name); isLoopback(name) {
		return peer.IsLoopback()
	}
	return f.hosts[name]
}

func plainName(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

var dnsName = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.?$`)

func isHostName(name string) bool {
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Zone() == ""
	}
	return len(name) <= 253 && dnsName.MatchString(name)
}

// isLoopback says whether a name or address is a loopback one.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Sender returns the address that a request comes from: the other end of the connection or, behind
// Handler, the client before the proxies. It is not valid for a Unix socket.
func Sender(r *http.Request) netip.Addr { return addressOf(r.RemoteAddr) }

// addressOf reads an address that may have a port.
func addressOf(text string) netip.Addr {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
