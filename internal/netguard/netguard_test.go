package netguard

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func TestEntries(t *testing.T) {
	g, err := New("10.0.0.0/8", " ::ffff:192.168.1.1 ", "fe80::/10", "Media.Internal.")
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"10.255.0.1": true, "::ffff:10.0.0.1": true, "192.168.1.1": true, "fe80::1%eth0": true, "8.8.8.8": true,
		"192.168.1.2": false, "64:ff9b::10.0.0.1": false, "127.0.0.1": false,
	} {
		if got := g.allows(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
	for _, entry := range []string{"", "10.0.0.0/33", "http://a", "*.example.com", "a b", "host:80"} {
		if _, err := New(entry); err == nil {
			t.Errorf("%q passed", entry)
		}
	}
}

func TestDial(t *testing.T) {
	port := portOf(listen(t, "127.0.0.1:0"))
	host, err := New("LOCALHOST.")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name    string
		guard   *Guard
		address string
		ok      bool
	}{
		{"an address", &Guard{}, "127.0.0.1:" + port, false},
		{"a mapped address", &Guard{}, "[::ffff:127.0.0.1]:" + port, false},
		{"a name", &Guard{}, "localhost:" + port, false},
		{"the unspecified address", &Guard{}, "0.0.0.0:" + port, false},
		{"an open guard", &Guard{Open: true}, "127.0.0.1:" + port, true},
		{"an allowed name", host, "localhost:" + port, true},
		{"the address of an allowed name", host, "127.0.0.1:" + port, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := tc.guard.DialContext(t.Context(), "tcp", tc.address)
			if err == nil {
				c.Close()
			}
			if (err == nil) != tc.ok || !tc.ok && !errors.Is(err, ErrRefused) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A name that changes its mind between two answers, or gives a good and a bad
// address at once, never leads to the bad one.
func TestRebinding(t *testing.T) {
	bad := listen(t, "127.0.0.1:0")
	port := portOf(bad)
	good, err := net.Listen("tcp", "127.0.0.2:"+port)
	if err != nil {
		t.Skip("this machine has one loopback address: ", err)
	}
	defer good.Close()
	var turns atomic.Int32
	resolver := nameserver(t, func(name string) []string {
		switch {
		case name == "both.example.":
			return []string{"127.0.0.1", "127.0.0.2"}
		case turns.Add(1)%2 == 0:
			return []string{"127.0.0.2"}
		}
		return []string{"127.0.0.1"}
	})
	g, err := New("127.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	g.resolver = resolver
	connected, refused := 0, 0
	for i := range 40 {
		name := []string{"both.example.", "turns.example."}[i%2]
		c, err := g.DialContext(t.Context(), "tcp", name+":"+port)
		if err != nil {
			if !errors.Is(err, ErrRefused) {
				t.Fatal(err)
			}
			refused++
			continue
		}
		connected++
		if got := c.RemoteAddr().String(); got != "127.0.0.2:"+port {
			t.Errorf("connected to %s", got)
		}
		c.Close()
	}
	if connected == 0 || refused == 0 {
		t.Errorf("%d connected and %d refused: both must happen", connected, refused)
	}
}

// Errors of every stage name what the caller wrote, and nothing it did not know.
func TestErrorsNameNoAddress(t *testing.T) {
	closed := listen(t, "127.0.0.1:0")
	closedPort := portOf(closed)
	closed.Close()
	resets := listen(t, "127.0.0.1:0")
	go func() {
		for {
			c, err := resets.Accept()
			if err != nil {
				return
			}
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	}()
	resolver := nameserver(t, func(name string) []string {
		if name == "none.example." {
			return nil
		}
		return []string{"127.0.0.1"}
	})
	dead := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+closedPort)
	}}
	for name, tc := range map[string]struct {
		guard   *Guard
		address string
		is      error
	}{
		"refused by the guard":    {&Guard{resolver: resolver}, "some.example.:80", ErrRefused},
		"refused by the machine":  {&Guard{Open: true, resolver: resolver}, "some.example.:" + closedPort, nil},
		"reset":                   {&Guard{Open: true, resolver: resolver}, "some.example.:" + portOf(resets), nil},
		"not found":               {&Guard{resolver: resolver}, "none.example.:80", nil},
		"no resolver":             {&Guard{resolver: dead}, "some.example.:80", nil},
		"a lookup that was ended": {&Guard{resolver: resolver}, "some.example.:80", context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if errors.Is(tc.is, context.Canceled) {
				cancel()
			}
			c, err := tc.guard.DialContext(ctx, "tcp", tc.address)
			if err == nil {
				defer c.Close()
				_, err = c.Read(make([]byte, 1))
			}
			if err == nil || strings.Contains(err.Error(), "127.0.0") || strings.Contains(err.Error(), "[::") {
				t.Errorf("%v", err)
			}
			if op, ok := errors.AsType[*net.OpError](err); ok && (op.Addr != nil || op.Source != nil) {
				t.Errorf("it holds %v %v", op.Addr, op.Source)
			}
			if tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("%v, want %v", err, tc.is)
			}
		})
	}
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func portOf(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// nameserver is a resolver that asks a DNS server of its own, which answers each
// query for an IPv4 address with what answer gives; nothing is "no such host".
func nameserver(t *testing.T, answer func(name string) []string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		buf := make([]byte, 1024)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			out := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
			if q.Type == dnsmessage.TypeA {
				for _, a := range answer(q.Name.String()) {
					out.Answers = append(out.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}, Body: &dnsmessage.AResource{A: netip.MustParseAddr(a).As4()},
					})
				}
				if len(out.Answers) == 0 {
					out.RCode = dnsmessage.RCodeNameError
				}
			}
			if packed, err := out.Pack(); err == nil {
				_, _ = server.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}
