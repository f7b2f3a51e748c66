package wasim

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Device is one device of an account: its phone (index 0) or a linked client.
type Device struct {
	s       *Server
	account *Account
	jid     types.JID // number and index
	lid     types.JID
	static  [32]byte // the only Noise key that may log in as this device
	played  bool     // the server plays this phone: stanzas to it count as delivered at once
	keys    keyring

	mu       sync.Mutex
	conn     *conn
	active   bool // it has asked for its stanzas on this connection
	held     bool
	removed  bool
	logins   int
	pending  []*queued
	inFlight int
	backlog  int // stanzas queued at activation that have not been sent yet
	offline  int // number of the next backlog stanza
	welcomed bool
	watching map[*Account]struct{} // accounts whose presence it has subscribed to
}

// queued is a stanza that waits in a device's queue until the device acknowledges it.
type queued struct {
	class string // its tag
	id    string
	from  types.JID
	node  waBinary.Node
	fault Fault // decided when the message came in
	sent  bool  // on the current connection
	hold  int   // sent once this many later ones have been sent
}

// JID is the device's number and index.
func (d *Device) JID() types.JID { return d.jid }

// LID is the device's hidden identity and index.
func (d *Device) LID() types.JID { return d.lid }

// Online reports whether the device is logged in.
func (d *Device) Online() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conn != nil
}

// RemoteAddr is the address the device is logged in from, empty while it is offline.
func (d *Device) RemoteAddr() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn == nil {
		return ""
	}
	return d.conn.from
}

// Logins counts the successful logins.
func (d *Device) Logins() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.logins
}

// Pending counts the stanzas the device has not acknowledged.
func (d *Device) Pending() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.pending)
}

// WaitActive waits until the device is logged in and has asked for its stanzas.
func (d *Device) WaitActive(ctx context.Context) error {
	return d.account.wait(ctx, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.active
	})
}

// attach makes c the device's connection; an older connection is told that it was replaced.
func (d *Device) attach(c *conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.removed {
		return false
	}
	if old := d.conn; old != nil {
		old.bye(streamError(0, "replaced"))
	}
	d.conn, d.active = c, false
	d.logins++
	d.unsend()
	return true
}

func (d *Device) detach(c *conn) {
	d.mu.Lock()
	if d.conn != c {
		d.mu.Unlock()
		return
	}
	d.conn, d.active = nil, false
	d.unsend()
	d.mu.Unlock()
	d.account.offline(d)
	d.account.changed()
}

func (d *Device) unsend() {
	d.inFlight, d.backlog = 0, 0
	for _, p := range d.pending {
		p.sent, p.hold = false, 0
	}
}

// activate starts delivery on a fresh connection: preview, queue, end of queue, then new stanzas as they arrive.
func (d *Device) activate(c *conn) {
	d.mu.Lock()
	if d.conn != c || d.active {
		d.mu.Unlock()
		return
	}
	d.active, d.offline = true, 0
	d.backlog = len(d.pending)
	if d.backlog > 0 {
		count := map[string]int{}
		for _, p := range d.pending {
			count[p.class]++
		}
		c.send(inband("offline_preview", waBinary.Attrs{
			"count": len(d.pending), "message": count["message"], "receipt": count["receipt"],
			"notification": count["notification"], "appdata": 0,
		}))
	}
	d.pump()
	d.endOfQueue()
	fresh := !d.welcomed && d.jid.Device != 0 // the phone itself has the keys
	d.welcomed = true
	d.mu.Unlock()
	if fresh {
		d.account.welcome(d)
	}
	d.account.changed()
}

func (d *Device) endOfQueue() {
	if d.backlog == 0 && d.offline >= 0 {
		d.conn.send(inband("offline", waBinary.Attrs{"count": d.offline}))
		d.offline = -1
	}
}

func inband(tag string, attrs waBinary.Attrs) waBinary.Node {
	return waBinary.Node{Tag: "ib", Attrs: waBinary.Attrs{"from": types.ServerJID}, Content: []waBinary.Node{{Tag: tag, Attrs: attrs}}}
}

// deliver queues a stanza and sends it if the device is active.
func (d *Device) deliver(p *queued) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.removed:
	case d.played:
		d.s.record.delivered(d, p, false)
	case len(d.pending) >= d.s.opts.Limits.Queue:
		d.s.dropped.Add(1)
		d.s.log.Warn("queue of a device is full; stanza lost", "class", p.class)
	default:
		p.hold = p.fault.Reorder
		d.pending = append(d.pending, p)
		d.pump()
	}
}

// pump sends the queued stanzas that may be sent, in order.
func (d *Device) pump() {
	if d.conn == nil || !d.active || d.held {
		return
	}
	for i := 0; i < len(d.pending) && d.inFlight < d.s.opts.Limits.Window; i++ {
		p := d.pending[i]
		if p.sent || p.hold > 0 {
			continue
		}
		if !d.transmit(p) {
			d.pending = slices.Delete(d.pending, i, i+1)
			i--
		}
		if p.class == "message" { // only messages count as later than a message that is held back
			for _, earlier := range d.pending[:min(i+1, len(d.pending))] {
				if earlier.hold > 0 {
					if earlier.hold--; earlier.hold == 0 {
						i = -1 // its turn: start over
					}
				}
			}
		}
		if d.conn == nil {
			return
		}
	}
}

// transmit sends one stanza; false means that the stanza leaves the queue without reaching the client.
func (d *Device) transmit(p *queued) bool {
	f := p.fault
	if p.class == "message" {
		own := d.s.fault(FaultEvent{Stage: StageDelivery, Account: d.account.phone, Recipient: d.account.phone, MessageID: p.id, Type: text(&p.node, "type")})
		f = merge(f, own)
	}
	p.fault = Fault{}
	p.sent = true
	d.inFlight++
	n, offline := p.node, d.backlog > 0
	if offline {
		d.backlog--
		n = with(n, "offline", strconv.Itoa(d.offline))
		d.offline++
		defer d.endOfQueue()
	}
	if f.DropDelivery {
		d.inFlight--
		return false
	}
	if f.Corrupt {
		n = corrupt(n)
	}
	if f.Disconnect == Before {
		d.conn.cancel()
		return true
	}
	c, copies := d.conn, 1+f.Duplicate
	send := func() {
		for range copies {
			c.send(n)
		}
		if f.Disconnect == After {
			c.out.end()
		}
	}
	d.s.record.delivered(d, p, offline)
	if f.Delay > 0 {
		d.s.later(time.Duration(f.Delay), send)
	} else {
		send()
	}
	return true
}

// acked removes a stanza from the queue. The client identifies it by class, id and sender.
func (d *Device) acked(class, id string, from types.JID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, p := range d.pending {
		if p.sent && p.id == id && p.class == class && p.from == from {
			d.pending = slices.Delete(d.pending, i, i+1)
			if len(d.pending) == 0 {
				d.pending = nil // frees the memory of a long queue
			}
			d.inFlight--
			d.pump()
			return
		}
	}
}

// now sends a stanza that is worthless later, if the device is active.
func (d *Device) now(n waBinary.Node) {
	d.mu.Lock()
	c := d.conn
	ok := c != nil && d.active && !d.held
	d.mu.Unlock()
	if ok {
		c.send(n)
	}
}

func with(n waBinary.Node, key string, value any) waBinary.Node {
	attrs := make(waBinary.Attrs, len(n.Attrs)+1)
	for k, v := range n.Attrs {
		attrs[k] = v
	}
	attrs[key] = value
	n.Attrs = attrs
	return n
}

// merge combines the fault of a message with that of a delivery.
func merge(a, b Fault) Fault {
	a.Delay += b.Delay
	a.Duplicate += b.Duplicate
	a.DropDelivery = a.DropDelivery || b.DropDelivery
	a.Corrupt = a.Corrupt || b.Corrupt
	if b.Disconnect != "" {
		a.Disconnect = b.Disconnect
	}
	return a
}

// corrupt returns the stanza with a bit of each ciphertext flipped.
func corrupt(n waBinary.Node) waBinary.Node {
	children := slices.Clone(n.GetChildren())
	for i, c := range children {
		if sealed, ok := c.Content.([]byte); ok && c.Tag == "enc" && len(sealed) > 0 {
			sealed = slices.Clone(sealed)
			sealed[len(sealed)-1] ^= 1
			children[i].Content = sealed
		}
	}
	n.Content = children
	return n
}
