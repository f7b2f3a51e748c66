package wasim

import (
	"slices"
	"strconv"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// streamError builds the stanza that ends a connection. It has no code if code is 0, and no <conflict> if conflict is
// empty.
func streamError(code int, conflict string) waBinary.Node {
	n := waBinary.Node{Tag: "stream:error", Attrs: waBinary.Attrs{}}
	if code != 0 {
		n.Attrs["code"] = strconv.Itoa(code)
	}
	if conflict != "" {
		n.Content = []waBinary.Node{{Tag: "conflict", Attrs: waBinary.Attrs{"type": conflict}}}
	}
	return n
}

// Drop cuts the device's connection without telling the device why. It reports whether there was one.
func (d *Device) Drop() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn == nil {
		return false
	}
	d.conn.cancel()
	return true
}

// StreamError ends the device's connection with a code: 503 and 516 make whatsmeow reconnect, 515 at once.
func (d *Device) StreamError(code int) bool { return d.bye(streamError(code, "")) }

// Replaced ends the device's connection as if its session had been opened elsewhere.
func (d *Device) Replaced() bool { return d.bye(streamError(0, "replaced")) }

func (d *Device) bye(n waBinary.Node) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn == nil {
		return false
	}
	d.conn.bye(n)
	return true
}

// Logout unlinks the device, as the owner can on the phone. A device that is offline learns of it at its next login.
func (d *Device) Logout() { d.account.remove(d, streamError(401, "device_removed")) }

// Deafen makes the server discard everything that the device sends on its present connection, answers included, as on a
// half-open link. It reports whether there is a connection.
func (d *Device) Deafen() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn == nil {
		return false
	}
	d.conn.deaf.Store(true)
	return true
}

// Hold stops (true) or resumes (false) the delivery of queued stanzas to the device.
func (d *Device) Hold(hold bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = hold
	d.pump()
}

// PreKeys counts the device's one-time keys that nobody has taken yet.
func (d *Device) PreKeys() int { return d.keys.count() }

// TrimPreKeys forgets all but keep of the one-time keys, and announces that to the device as the server does when keys
// run low.
func (d *Device) TrimPreKeys(keep int) {
	d.keys.trim(keep)
	d.lowOnKeys(keep)
}

// close ends the connection of a removed device and forgets its queue.
func (d *Device) close(last *waBinary.Node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removed, d.pending = true, nil
	if d.conn == nil {
		return
	}
	if last != nil {
		d.conn.send(*last)
	}
	d.conn.out.end()
}

// Queue returns the stanzas that the device has not acknowledged, in the order in which it will receive them.
func (d *Device) Queue() []waBinary.Node {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]waBinary.Node, 0, len(d.pending))
	for _, p := range d.pending {
		out = append(out, p.node)
	}
	return slices.Clip(out)
}
