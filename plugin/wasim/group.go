package wasim

import (
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Group is a group chat. Its members are addressed by LID, as in new groups (2026), or by number, as in older ones.
type Group struct {
	s       *Server
	jid     types.JID
	subject string
	created time.Time
	mode    types.AddressingMode
	members atomic.Pointer[[]*Account] // the first created the group; the slice is replaced, never modified
	timer   atomic.Uint32              // seconds until messages disappear; 0: never
}

const maxGroupMembers = 1_024

// NewGroup creates a group of accounts; the first is its creator. Nobody is notified: clients query the group when they
// need it.
func (s *Server) NewGroup(subject string, members ...*Account) (*Group, error) {
	return s.newGroup(subject, types.AddressingModeLID, members)
}

// NewNumberGroup is NewGroup for a group of the old kind, whose members know each other's numbers.
func (s *Server) NewNumberGroup(subject string, members ...*Account) (*Group, error) {
	return s.newGroup(subject, types.AddressingModePN, members)
}

func (s *Server) newGroup(subject string, mode types.AddressingMode, members []*Account) (*Group, error) {
	if len(members) == 0 || len(members) > maxGroupMembers {
		return nil, fmt.Errorf("a group has 1 to %d members, not %d", maxGroupMembers, len(members))
	}
	members = slices.Clone(members)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.groups) >= s.opts.Limits.Accounts {
		return nil, fmt.Errorf("%w: %d groups", ErrTooMany, s.opts.Limits.Accounts)
	}
	const low = 120_363_000_000_000_000 // WhatsApp's groups have 18 digits
	user := strconv.FormatInt(low+int64(len(s.groups))+1, 10)
	g := &Group{s: s, jid: types.NewJID(user, types.GroupServer), subject: subject, created: time.Now(), mode: mode}
	g.members.Store(&members)
	s.groups[user] = g
	s.stir()
	return g, nil
}

// JID is the group's address.
func (g *Group) JID() types.JID { return g.jid }

func (s *Server) group(jid types.JID) *Group {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if jid.Server != types.GroupServer {
		return nil
	}
	return s.groups[jid.User]
}

// server is the namespace in which the group names its members.
func (g *Group) server() string {
	if g.mode == types.AddressingModePN {
		return types.DefaultUserServer
	}
	return types.HiddenUserServer
}

func (g *Group) has(a *Account) bool { return slices.Contains(*g.members.Load(), a) }

// Add adds an account. Clients that know the old list learn of the change from the phash in the ack of their next
// message. The new member cannot read that message, and asks for it again.
func (g *Group) Add(a *Account) error {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	if g.has(a) {
		return nil
	}
	if len(*g.members.Load()) >= maxGroupMembers {
		return fmt.Errorf("%w: %d members", ErrTooMany, maxGroupMembers)
	}
	members := append(slices.Clone(*g.members.Load()), a)
	g.members.Store(&members)
	g.s.stir()
	return nil
}

// SetTimer sets, on behalf of the first member, after how many seconds messages of the group disappear (0: never), and
// announces it to all members.
func (g *Group) SetTimer(seconds uint32) {
	g.timer.Store(seconds)
	g.s.stir()
	members := *g.members.Load()
	change := waBinary.Node{Tag: "not_ephemeral"}
	if seconds > 0 {
		change = g.ephemeral()
	}
	for _, a := range members {
		for _, d := range *a.list.Load() {
			if !d.played {
				d.notify("w:gp2", g.jid, waBinary.Attrs{"participant": members[0].in(g.server())}, change)
			}
		}
	}
}

func (g *Group) ephemeral() waBinary.Node {
	return waBinary.Node{Tag: "ephemeral", Attrs: waBinary.Attrs{"expiration": int(g.timer.Load())}}
}

// onGroups answers queries about groups, and creates groups. Changing groups is not supported.
func onGroups(c *conn, iq *waBinary.Node) ([]waBinary.Node, *IQError) {
	switch first(iq).Tag {
	case "create":
		return c.createGroup(first(iq))
	case "query":
		g := c.s.group(address(iq, "to"))
		switch {
		case g == nil:
			return nil, &IQError{Code: 404, Text: "item-not-found"}
		case !g.has(c.dev.account):
			return nil, &IQError{Code: 403, Text: "forbidden"}
		}
		return []waBinary.Node{g.node()}, nil
	case "participating":
		var list []waBinary.Node
		c.s.mu.RLock()
		defer c.s.mu.RUnlock()
		for _, g := range c.s.groups {
			if g.has(c.dev.account) {
				list = append(list, g.node())
			}
		}
		return []waBinary.Node{{Tag: "groups", Content: list}}, nil
	}
	return nil, errNotMine
}

func (g *Group) node() waBinary.Node {
	members := *g.members.Load()
	list := make([]waBinary.Node, 0, len(members)+1)
	for i, a := range members {
		attrs := waBinary.Attrs{"jid": a.in(g.server())}
		switch {
		case g.mode == types.AddressingModePN:
			attrs["lid"] = a.lid
		case !a.cfg.hidden:
			attrs["phone_number"] = a.jid
		}
		if i == 0 {
			attrs["type"] = "superadmin"
		}
		list = append(list, waBinary.Node{Tag: "participant", Attrs: attrs})
	}
	if g.timer.Load() > 0 {
		list = append(list, g.ephemeral())
	}
	owner, t := members[0].in(g.server()), g.created.Unix()
	return waBinary.Node{Tag: "group", Content: list, Attrs: waBinary.Attrs{
		"id": g.jid.User, "addressing_mode": string(g.mode), "subject": g.subject, "creator": owner, "creation": t,
		"s_o": owner, "s_t": t, "size": len(members),
	}}
}

// groupRefusal returns the error of the ack of a message to a group.
func (m *message) groupRefusal() int {
	g := m.conn.s.group(m.to)
	if g == nil || !g.has(m.conn.dev.account) || m.id == "" {
		return nackStanza
	}
	return 0
}

// fanOutGroup delivers the group's ciphertext to every device of every member, preceded by the sender's key for the
// devices for which the message has one. The answer to a retry receipt goes to one device only.
func (m *message) fanOutGroup() {
	g, sender := m.conn.s.group(m.to), m.conn.dev
	attrs := func(d *Device) waBinary.Attrs {
		out := waBinary.Attrs{
			"from": m.to, "participant": sender.in(g.server()), "addressing_mode": string(g.mode), "id": m.id, "t": m.time.Unix(),
			"type": text(m.node, "type"), "notify": sender.account.name(),
		}
		switch {
		case g.mode == types.AddressingModePN:
			out["participant_lid"] = sender.account.lid
		case !sender.account.cfg.hidden || d.account == sender.account:
			out["participant_pn"] = sender.account.jid
		}
		if edit, ok := m.node.Attrs["edit"]; ok {
			out["edit"] = edit
		}
		return out
	}
	enc := child(m.node, "enc")
	if only := address(m.node, "participant"); only.User != "" {
		if d := m.conn.s.deviceOf(only); d != nil && g.has(d.account) && enc != nil {
			m.queue(d, attrs(d), *enc)
		}
		return
	}
	keys := make(map[*Device]waBinary.Node)
	if list := child(m.node, "participants"); list != nil {
		for _, to := range list.GetChildren() {
			if key := child(&to, "enc"); key != nil {
				keys[m.conn.s.deviceOf(address(&to, "jid"))] = *key
			}
		}
	}
	var all []types.JID
	for _, a := range *g.members.Load() {
		for _, d := range *a.list.Load() {
			all = append(all, d.in(g.server()))
			if d == sender {
				continue
			}
			var parts []waBinary.Node
			if key, ok := keys[d]; ok {
				parts = append(parts, key)
			}
			if enc != nil {
				parts = append(parts, *enc)
			}
			if len(parts) > 0 {
				m.queue(d, attrs(d), parts...)
			}
		}
	}
	if hash := participantHash(all); hash != text(m.node, "phash") {
		m.phash = hash
	}
}

// groupReceipt passes a receipt to the member that sent the message.
func (c *conn) groupReceipt(n *waBinary.Node) {
	g, to := c.s.group(address(n, "to")), address(n, "participant")
	a := c.s.find(to)
	if g == nil || a == nil || !g.has(a) || !g.has(c.dev.account) {
		return
	}
	for _, d := range *a.list.Load() {
		if d == c.dev || (text(n, "type") == "retry" && d.jid.Device != to.Device) {
			continue
		}
		c.passReceipt(d, n, waBinary.Attrs{"from": g.jid, "participant": c.dev.in(g.server())})
	}
}

// chatState tells the other members that one of them is typing, or has stopped.
func (g *Group) chatState(from *Device, n *waBinary.Node) {
	out := waBinary.Node{Tag: "chatstate", Content: n.Content, Attrs: waBinary.Attrs{"from": g.jid, "participant": from.in(g.server()).ToNonAD()}}
	for _, a := range *g.members.Load() {
		for _, d := range *a.list.Load() {
			if a != from.account && !d.played {
				d.now(out)
			}
		}
	}
}
