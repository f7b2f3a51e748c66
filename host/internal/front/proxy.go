package front

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// forwarded reads what a proxy says about a request: whose it is, and whether it came by TLS.
//
// Each proxy adds the address that it saw at the end of X-Forwarded-For. What stands before the
// last one that is not a proxy's may be the client's own invention.
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
	r.RemoteAddr = net.JoinHostPort(client.String(), "0") // nobody knows the port
	return r, secure
}

// IsHere says whether a request comes from this machine, and not through a proxy on it.
func IsHere(r *http.Request) bool { return Sender(r).IsLoopback() && !passedOn(r.Header) }

// passedOn says whether a proxy has left its mark, whatever that says: its presence is
// the news, also of an empty one.
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
