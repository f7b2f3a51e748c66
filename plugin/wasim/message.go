package wasim

import (
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// onMessage handles a <message> from a client: it refuses or relays the message, then acknowledges it.
func (c *conn) onMessage(n *waBinary.Node) {
	to := address(n, "to")
	recipient := to.User
	target := c.s.find(to)
	if target != nil {
		recipient = target.phone
	} else if to.Server == types.GroupServer || to.Server == types.NewsletterServer {
		recipient = to.String()
	}
	f := c.s.fault(FaultEvent{Stage: StageMessage, Account: c.dev.account.phone, Recipient: recipient, MessageID: text(n, "id"), Type: text(n, "type"),
		Buttons: len(n.GetChildrenByTag("biz")) > 0})
	if f.Delay == 0 {
		c.relay(n, to, target, f)
		return
	}
	c.s.later(time.Duration(f.Delay), func() { c.relay(n, to, target, f) })
}

func (c *conn) relay(n *waBinary.Node, to types.JID, target *Account, f Fault) {
	m := &message{conn: c, node: n, id: text(n, "id"), to: to, target: target, time: time.Now(), fault: f}
	m.fault.Delay, m.fault.Disconnect = 0, ""
	code := m.refusal()
	if f.AckError != nil {
		code = f.AckError.Code
	}
	c.s.record.message(m.id, func(r *MessageRecord) {
		r.Attempts = add(r.Attempts, Attempt{Time: m.time, From: c.dev.jid, To: to, Retry: child(n, "participants") == nil, Error: code, Node: n})
	})
	if code == 0 {
		m.fanOut()
	}
	if f.Disconnect == Before {
		c.cancel()
		return
	}
	if !f.DropAck {
		c.ackMessage(m, code)
	}
	c.farewell(f)
}

func (c *conn) ackMessage(m *message, code int) {
	attrs := waBinary.Attrs{"class": "message", "id": m.id, "from": m.to, "t": m.time.Unix()}
	if code != 0 {
		attrs["error"] = code
	}
	if m.phash != "" {
		attrs["phash"] = m.phash
	}
	if m.serverID != 0 {
		attrs["server_id"] = m.serverID
	}
	c.send(waBinary.Node{Tag: "ack", Attrs: attrs})
}

// message is a message on its way through the server.
type message struct {
	conn   *conn
	node   *waBinary.Node
	id     string
	to     types.JID
	target *Account // nil for a group or a newsletter
	time   time.Time
	fault  Fault
	phash  string // hash of the devices that it should have gone to; empty if it went to all of them

	serverID types.MessageServerID // set for a newsletter's post

	rest []waBinary.Node // children that every device receives
}

// Error codes of acks that refuse a message, as WhatsApp uses them.
const (
	nackStanza = 479 // the stanza is invalid: no such recipient, no ciphertext
	nackToken  = 463 // the recipient's privacy token is missing
)

// refusal returns the error code for the ack, or 0 if the message is relayed.
func (m *message) refusal() int {
	switch m.to.Server {
	case types.GroupServer:
		return m.groupRefusal()
	case types.NewsletterServer:
		return m.newsletterRefusal()
	}
	if m.target == nil || m.id == "" {
		return nackStanza
	}
	sender := m.conn.dev.account
	if m.target.cfg.needsTokens && m.target != sender && !m.target.gave(sender, payload(m.node, "tctoken")) {
		return nackToken
	}
	return 0
}

// fanOut delivers to every device its own ciphertext.
func (m *message) fanOut() {
	for _, n := range m.node.GetChildren() {
		switch n.Tag {
		case "participants", "enc", "device-identity", "tctoken", "cstoken":
		default:
			m.rest = append(m.rest, n)
		}
	}
	switch m.to.Server {
	case types.GroupServer:
		m.fanOutGroup()
		return
	case types.NewsletterServer:
		m.publish()
		return
	}
	list := child(m.node, "participants")
	if list == nil {
		// For one device: the answer to a retry receipt, or a message between an account's own devices.
		if d := m.target.device(m.to.Device); d != nil {
			if enc := child(m.node, "enc"); enc != nil {
				m.deliver(d, *enc)
			}
		}
		return
	}
	copies := list.GetChildren()
	reached, strangers := 1, false // the sender's own device has the message already
	for i := range copies {
		enc := child(&copies[i], "enc")
		d := m.conn.s.deviceOf(address(&copies[i], "jid"))
		if d == nil || enc == nil || (d.account != m.target && d.account != m.conn.dev.account) {
			strangers = true
			continue
		}
		reached++
		m.deliver(d, *enc)
	}
	if all := m.everyDevice(); strangers || reached != len(all) {
		m.phash = participantHash(all)
	}
}

// everyDevice lists the devices that must receive the message, in the namespace in which it was addressed.
func (m *message) everyDevice() []types.JID {
	devices := *m.target.list.Load()
	own := *m.conn.dev.account.list.Load()
	out := make([]types.JID, 0, len(devices)+len(own))
	for _, d := range devices {
		out = append(out, d.in(m.to.Server))
	}
	if m.target == m.conn.dev.account {
		return out
	}
	for _, d := range own {
		out = append(out, d.in(m.to.Server))
	}
	return out
}

// in returns the account's JID in one of the two namespaces.
func (a *Account) in(server string) types.JID {
	if server == types.DefaultUserServer {
		return a.jid
	}
	return a.lid
}

// in returns the device's JID in one of the two namespaces.
func (d *Device) in(server string) types.JID {
	if server == types.DefaultUserServer {
		return d.jid
	}
	return d.lid
}

// deliver queues the copy for one device.
func (m *message) deliver(d *Device, enc waBinary.Node) {
	sender := m.conn.dev
	from := sender.in(m.to.Server)
	attrs := waBinary.Attrs{"from": from, "id": m.id, "t": m.time.Unix(), "type": text(m.node, "type"), "notify": sender.account.name()}
	for _, key := range []string{"edit", "category"} {
		if v, ok := m.node.Attrs[key]; ok {
			attrs[key] = v
		}
	}
	if d.account == sender.account {
		m.addressOwn(attrs)
	} else if !sender.account.cfg.hidden {
		if from.Server == types.HiddenUserServer {
			attrs["sender_pn"] = sender.account.jid
		} else {
			attrs["sender_lid"] = sender.account.lid
		}
	}
	if list, ok := sender.account.lists.of(m.id); ok && d.account != sender.account {
		throughList(list, attrs)
	}
	m.queue(d, attrs, enc)
}

// addressOwn adds, for a device of the sender's own account, which chat the copy belongs to.
func (m *message) addressOwn(attrs waBinary.Attrs) {
	chat, ok := m.node.Attrs["recipient"].(types.JID)
	if !ok {
		chat = m.to.ToNonAD()
	}
	if text(m.node, "category") == "peer" || chat.User == m.conn.dev.account.jid.User || chat.User == m.conn.dev.account.lid.User {
		return
	}
	attrs["recipient"] = chat
	if a := m.conn.s.find(chat); a != nil && !a.cfg.hidden {
		if chat.Server == types.HiddenUserServer {
			attrs["peer_recipient_pn"] = a.jid
		} else {
			attrs["peer_recipient_lid"] = a.lid
		}
	}
}

func (m *message) queue(d *Device, attrs waBinary.Attrs, enc ...waBinary.Node) {
	content := make([]waBinary.Node, 0, len(enc)+1+len(m.rest))
	content = append(content, enc...)
	for i := range enc {
		if text(&enc[i], "type") == "pkmsg" {
			if id := child(m.node, "device-identity"); id != nil {
				content = append(content, *id)
			}
			break
		}
	}
	content = append(content, m.rest...)
	d.deliver(&queued{
		class: "message", id: m.id, from: attrs["from"].(types.JID), fault: m.fault,
		node: waBinary.Node{Tag: "message", Attrs: attrs, Content: content},
	})
}
