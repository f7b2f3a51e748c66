package front

import (
	"net"
	"net/netip"
	"sync"
)

// Limits of open connections: in total, and for one address that is not a proxy's, so that one client
// cannot take them all.
const (
	maxConnections = 8000
	maxPerAddress  = 2000
)

// places is a listener that closes every connection beyond the limits at once.
type places struct {
	net.Listener
	isProxy func(netip.Addr) bool

	mu   sync.Mutex
	all  int
	each map[netip.Addr]int
}

func newPlaces(l net.Listener, isProxy func(netip.Addr) bool) *places {
	return &places{Listener: l, isProxy: isProxy, each: map[netip.Addr]int{}}
}

// Accept implements net.Listener.
func (p *places) Accept() (net.Conn, error) {
	for {
		c, err := p.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addr := addressOf(c.RemoteAddr().String())
		if p.take(addr) {
			return &place{Conn: c, leave: func() { p.leave(addr) }}, nil
		}
		_ = c.Close() // without an answer
	}
}

func (p *places) take(addr netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all >= maxConnections || p.each[addr] >= maxPerAddress && !p.isProxy(addr) {
		return false
	}
	p.all++
	p.each[addr]++
	return true
}

func (p *places) leave(addr netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all--
	if p.each[addr]--; p.each[addr] == 0 {
		delete(p.each, addr)
	}
}

// place is a connection that counts against the limits until it is closed.
type place struct {
	net.Conn
	once  sync.Once
	leave func()
}

// CloseWrite lets the server end a connection in a way that the client can still read its last answer.
func (c *place) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	return half.CloseWrite()
}

// Close implements net.Conn.
func (c *place) Close() error {
	c.once.Do(c.leave)
	return c.Conn.Close()
}
