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

func TestDial(t *testing.T) {
	port := portOf(listen(t, "127.0.0.1:0"))
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
		{"the same, for private ones", &Guard{Private: true}, "0.0.0.0:" + port, false},
		{"a cloud's metadata", &Guard{Private: true}, "169.254.169.254:80", false},
		{"a guard for private addresses", &Guard{Private: true}, "127.0.0.1:" + port, true},
		{"a name for it", &Guard{Private: true}, "localhost:" + port, true},
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

// A name that resolves differently on the second lookup, or gives a good and a bad address at once,
// never leads to the bad one.
func TestRebinding(t *testing.T) {
	port := portOf(listen(t, "127.0.0.1:0"))
	var turns atomic.Int32
	resolver := nameserver(t, func(name string) []string {
		switch {
		case name == "both.example.":
			return []string{"169.254.169.254", "127.0.0.1"}
		case turns.Add(1)%2 == 0:
			return []string{"127.0.0.1"}
		}
		return []string{"169.254.169.254"}
	})
	g := &Guard{Private: true, resolver: resolver}
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
		if got := c.RemoteAddr().String(); got != "127.0.0.1:"+port {
			t.Errorf("connected to %s", got)
		}
		c.Close()
	}
	if connected == 0 || refused == 0 {
		t.Errorf("%d connected and %d refused: both must happen", connected, refused)
	}
}

// TestCheckHost: a host that can never be dialled is refused in advance; names are not resolved for
// that.
func TestCheckHost(t *testing.T) {
	for host, want := range map[string]struct{ public, private bool }{
		"crm.example": {true, true}, "8.8.8.8": {true, true}, "2606:4700::1111": {true, true}, "2852039166": {true, true},
		"127.0.0.1": {false, true}, "::1": {false, true}, "LocalHost.": {false, true}, "a.localhost": {false, true}, "10.0.0.1": {false, true}, "::ffff:10.0.0.1": {false, true},
		"169.254.169.254": {}, "169.254.169.254.": {}, "::ffff:169.254.169.254": {}, "64:ff9b::169.254.169.254": {}, "fe80::1": {}, "fe80::1%eth0": {},
		"0.0.0.0": {}, "::": {}, "224.0.0.1": {}, "ff02::1": {}, "255.255.255.255": {}, "fd00:ec2::254": {}, "100.100.100.200": {}, "168.63.129.16": {},
	} {
		for _, private := range []bool{false, true} {
			g := &Guard{Private: private}
			if got, want := g.CheckHost(host) == nil, private && want.private || !private && want.public; got != want {
				t.Errorf("%s, private %v: %v", host, private, got)
			}
		}
	}
}

// Errors of every stage name what the caller wrote, and nothing that the caller did not know.
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
		"refused by the machine":  {&Guard{Private: true, resolver: resolver}, "some.example.:" + closedPort, nil},
		"reset":                   {&Guard{Private: true, resolver: resolver}, "some.example.:" + portOf(resets), nil},
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

// nameserver is a resolver that asks a DNS server of its own, which answers each query for an IPv4
// address with the result of answer; an empty result is "no such host".
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
