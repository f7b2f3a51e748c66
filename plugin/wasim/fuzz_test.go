package wasim

import (
	"context"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

func marshalled(f *testing.F, n waBinary.Node) []byte {
	f.Helper()
	raw, err := waBinary.Marshal(n)
	if err != nil {
		f.Fatal(err)
	}
	return raw
}

// FuzzDecode feeds the stanza decoder with what an untrusted client could send: it neither panics nor inflates without
// bound, and what it accepts can be relayed.
func FuzzDecode(f *testing.F) {
	f.Add(marshalled(f, waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"type": "get", "id": "1", "xmlns": "w:p"}}))
	f.Add(marshalled(f, waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"to": types.NewJID("5511", types.DefaultUserServer)},
		Content: []waBinary.Node{{Tag: "enc", Content: []byte("x")}}}))
	f.Add([]byte{0, 0xf8, 0x02})
	f.Add([]byte{2, 0x78, 0x9c})
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := decode(data, 1<<16)
		if err != nil {
			return
		}
		if _, err := waBinary.Marshal(*n); err != nil {
			t.Fatalf("%s decodes but does not encode: %v", n, err)
		}
	})
}

// FuzzHandle is a logged-in client that sends any stanza: the server survives it.
func FuzzHandle(f *testing.F) {
	s, err := Start(Options{Limits: Limits{Accounts: 10, Messages: 16, Stanzas: 16}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := s.Close(); err != nil {
			f.Error(err)
		}
	})
	a, err := s.NewAccount("5511999990000")
	if err != nil {
		f.Fatal(err)
	}
	b, err := s.NewAccount("5511999990001")
	if err != nil {
		f.Fatal(err)
	}
	g, err := s.NewGroup("all", a, b)
	if err != nil {
		f.Fatal(err)
	}
	channel, err := s.NewNewsletter("news", a, b)
	if err != nil {
		f.Fatal(err)
	}
	dev := &Device{s: s, account: a, jid: a.jid, lid: a.lid, keys: keyringOf(a.keys)}
	dev.jid.Device, dev.lid.Device = 1, 1
	a.addDevice(dev)
	for _, n := range stanzas(b.lid, g.jid, channel.jid) {
		f.Add(marshalled(f, n))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := decode(data, 1<<16)
		if err != nil {
			return
		}
		for _, as := range []*Device{dev, nil} {
			c := &conn{s: s, out: newFrameQueue(1 << 10), dev: as, reg: &registration{keys: &keyring{}}}
			c.ctx, c.cancel = context.WithCancel(t.Context())
			if as != nil && !as.attach(c) { // an accepted remove-companion-device has unlinked it
				as.removed = false
				as.attach(c)
			}
			c.handle(n)
			c.cancel()
			if as != nil {
				as.detach(c)
			}
		}
	})
}

// stanzas is one example of each kind a client sends.
func stanzas(to, group, channel types.JID) []waBinary.Node {
	iq := func(xmlns, kind string, content ...waBinary.Node) waBinary.Node {
		return waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"xmlns": xmlns, "type": kind, "id": "1", "to": types.ServerJID}, Content: content}
	}
	user := waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": to}}
	enc := waBinary.Node{Tag: "enc", Attrs: waBinary.Attrs{"v": "2", "type": "pkmsg"}, Content: []byte("sealed")}
	return []waBinary.Node{
		iq("encrypt", "get", waBinary.Node{Tag: "count"}),
		iq("encrypt", "get", waBinary.Node{Tag: "digest"}),
		iq("encrypt", "get", waBinary.Node{Tag: "key", Content: []waBinary.Node{user}}),
		iq("encrypt", "set", waBinary.Node{Tag: "registration", Content: []byte("abcd")}, waBinary.Node{Tag: "list"}, waBinary.Node{Tag: "skey"}),
		iq("usync", "get", waBinary.Node{Tag: "usync", Content: []waBinary.Node{
			{Tag: "query", Content: []waBinary.Node{{Tag: "devices"}, {Tag: "lid"}, {Tag: "contact"}}}, {Tag: "list", Content: []waBinary.Node{user}}}}),
		iq("passive", "set", waBinary.Node{Tag: "active"}),
		iq("privacy", "set", waBinary.Node{Tag: "tokens", Content: []waBinary.Node{{Tag: "token", Attrs: waBinary.Attrs{"jid": to}}}}),
		iq("privacy", "get"),
		iq("w:mex", "get", waBinary.Node{Tag: "query", Attrs: waBinary.Attrs{"query_id": "6563316087068696"}, Content: []byte(`{"variables":{"input":{"key":"` + channel.String() + `"}}}`)}),
		iq("newsletter", "get", waBinary.Node{Tag: "messages", Attrs: waBinary.Attrs{"jid": channel, "count": "10"}}),
		{Tag: "message", Attrs: waBinary.Attrs{"to": channel, "id": "N", "type": "text"}, Content: []waBinary.Node{{Tag: "plaintext", Content: []byte("\x0a\x02hi")}}},
		iq("w:m", "set", waBinary.Node{Tag: "media_conn"}),
		iq("w:g2", "get", waBinary.Node{Tag: "participating"}),
		iq("w:sync:app:state", "set", waBinary.Node{Tag: "sync", Content: []waBinary.Node{{Tag: "collection", Attrs: waBinary.Attrs{"name": "regular", "version": "0"}}}}),
		iq("md", "set", waBinary.Node{Tag: "link_code_companion_reg", Attrs: waBinary.Attrs{"stage": "companion_hello"}}),
		iq("md", "set", waBinary.Node{Tag: "remove-companion-device", Attrs: waBinary.Attrs{"jid": to}}),
		{Tag: "message", Attrs: waBinary.Attrs{"to": to, "id": "M", "type": "text"}, Content: []waBinary.Node{
			{Tag: "participants", Content: []waBinary.Node{{Tag: "to", Attrs: waBinary.Attrs{"jid": to}, Content: []waBinary.Node{enc}}}}}},
		{Tag: "message", Attrs: waBinary.Attrs{"to": group, "id": "G", "type": "text"}, Content: []waBinary.Node{enc}},
		{Tag: "receipt", Attrs: waBinary.Attrs{"to": to, "id": "M", "type": "read"}},
		{Tag: "receipt", Attrs: waBinary.Attrs{"to": group, "participant": to, "id": "G", "type": "retry"}},
		{Tag: "ack", Attrs: waBinary.Attrs{"to": to, "id": "M", "class": "message"}},
		{Tag: "presence", Attrs: waBinary.Attrs{"type": "subscribe", "to": to}},
		{Tag: "presence", Attrs: waBinary.Attrs{"type": "available", "name": "x"}},
		{Tag: "chatstate", Attrs: waBinary.Attrs{"to": to}, Content: []waBinary.Node{{Tag: "composing"}}},
	}
}
