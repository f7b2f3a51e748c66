package pool

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// to makes every connection go to addr.
func to(addr string) *http.Transport {
	t := transport(nil, newWires())
	t.Proxy = nil
	t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
	return t
}

// through is a transport that uses a proxy.
func through(proxy string) *http.Transport {
	t := transport(nil, newWires())
	t.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }
	return t
}

// closed is an address where nothing listens.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().String()
}

// TestConnectSaysWhyItCannot: the error and the status say why, and neither shows an address.
func TestConnectSaysWhyItCannot(t *testing.T) {
	answering := func(status int) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(s.Close)
		return s
	}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	for _, c := range []struct {
		name string
		by   *http.Transport
		code string
		want string
	}{
		{"nothing listens", to(closed(t)), codeUnreachable, "refused"},
		{"no name", to("nobody.invalid:443"), codeUnreachable, "DNS"},
		{"no proxy", through("http://ann:secret@" + closed(t)), codeUnreachable, "HTTPS_PROXY"},
		{"a proxy that wants a password", through(answering(http.StatusProxyAuthRequired).URL), codeUnreachable, "407"},
		{"a proxy that forbids", through(answering(http.StatusForbidden).URL), codeUnreachable, "403"},
		{"a foreign certificate", to(secure.Listener.Addr().String()), codeUntrusted, "certificate"},
		{"no TLS", to(answering(http.StatusOK).Listener.Addr().String()), codeUntrusted, "TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, wasim.Options{})
			paired := w.adopt(1)
			must(t, w.db.Registry.SetWanted(w.ctx(), "shop-001", "disconnected"))
			p := w.open(nil)
			p.client.Transport = c.by
			fresh, err := p.Create(w.ctx(), "fresh")
			must(t, err)
			old, err := p.Get("shop-001")
			must(t, err)
			var refused *RefusedError
			if err := fresh.Connect(w.ctx(), "", func(Prompt) {}); !errors.As(err, &refused) || refused.Status.Trouble.Code != c.code {
				t.Errorf("a pairing: %v", err)
			}
			ctx, leave := context.WithCancel(w.ctx())
			gone := make(chan error, 1)
			go func() { gone <- old.Connect(ctx, "", func(Prompt) {}) }()
			w.until(old, "told", trouble(c.code))
			leave()
			<-gone
			for _, i := range []*Instance{fresh, old} {
				s := i.Status()
				if s.Trouble == nil || s.Trouble.Code != c.code || !strings.Contains(s.Trouble.Message, c.want) {
					t.Errorf("%s: status %+v", i.Name(), s)
				} else if strings.Contains(s.Trouble.Message, "127.0.0.1") || strings.Contains(s.Trouble.Message, "secret") {
					t.Errorf("%s names an address: %s", i.Name(), s.Trouble.Message)
				}
			}
			p.client.CloseIdleConnections()
			if paired.Logins() != 0 {
				t.Errorf("%d logins", paired.Logins())
			}
		})
	}
}

// TestConnectDoesNotWaitForEver: a paired instance is retried again and again, and the caller of Connect
// learns after some attempts why they fail.
func TestConnectDoesNotWaitForEver(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	w.adopt(1)
	must(t, w.db.Registry.SetWanted(w.ctx(), "shop-001", "disconnected"))
	p := w.open(nil)
	working := p.client.Transport
	p.client.Transport = to(closed(t))
	i, err := p.Get("shop-001")
	must(t, err)
	err = i.Connect(w.ctx(), "", func(Prompt) {})
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Status.Trouble.Code != codeUnreachable || refused.Retry <= 0 {
		t.Errorf("Connect = %v", err)
	}
	must(t, i.Disconnect(w.ctx()))
	p.client.Transport = working
	must(t, i.Connect(w.ctx(), "", func(Prompt) {}))
}

// TestWrongRootKey: the server answers, but is not the one that is trusted.
func TestWrongRootKey(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	wrong, err := ParseServer(w.sim.URL(), hex.EncodeToString(make([]byte, 32)))
	must(t, err)
	p := w.open(func(o *Options) { o.Server = wrong })
	i, _ := w.shop(p, 1)
	err = i.Connect(w.ctx(), "", func(Prompt) {})
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Status.Trouble.Code != codeUntrusted || !strings.Contains(err.Error(), "server.rootKey") {
		t.Errorf("Connect = %v", err)
	}
}
