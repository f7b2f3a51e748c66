package wasim

import (
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// fewKeys is where the server asks a device for more one-time keys; below it whatsmeow uploads.
const fewKeys = 4

// onEncrypt handles the keys from which others start sessions: upload, rotation of the signed one, count, digest, and
// fetching those of others.
func onEncrypt(c *conn, iq *waBinary.Node) ([]waBinary.Node, *IQError) {
	if text(iq, "type") == "set" {
		var err error
		switch {
		case child(iq, "list") != nil:
			err = c.dev.keys.upload(iq, c.s.opts.Limits.PreKeys)
		case child(iq, "rotate") != nil:
			err = c.dev.keys.rotate(child(child(iq, "rotate"), "skey"))
		default:
			return nil, errNotMine
		}
		if err != nil {
			return nil, &IQError{Code: 406, Text: "not-acceptable"}
		}
		return nil, nil
	}
	switch what := first(iq); what.Tag {
	case "count":
		return []waBinary.Node{countNode(c.dev.keys.count())}, nil
	case "digest":
		digest := c.dev.keys.digest()
		if digest == nil {
			return nil, &IQError{Code: 404, Text: "item-not-found"}
		}
		return digest, nil
	case "key":
		return []waBinary.Node{{Tag: "list", Content: c.s.bundles(what.GetChildren())}}, nil
	}
	return nil, errNotMine
}

func countNode(n int) waBinary.Node {
	return waBinary.Node{Tag: "count", Attrs: waBinary.Attrs{"value": n}}
}

func (s *Server) bundles(asked []waBinary.Node) []waBinary.Node {
	out := make([]waBinary.Node, 0, len(asked))
	for i := range asked {
		jid := address(&asked[i], "jid")
		if jid.User == "" {
			continue // an empty user in an answer breaks other clients' decoders
		}
		user := waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": jid, "t": time.Now().Unix()}}
		content, left := []waBinary.Node(nil), 0
		d := s.deviceOf(jid)
		if d != nil {
			content, left = d.keys.bundle()
		}
		if content == nil {
			content = []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": 404, "text": "item-not-found"}}}
		} else if left == fewKeys {
			d.lowOnKeys(left)
		}
		user.Content = content
		out = append(out, user)
	}
	return out
}

// lowOnKeys asks the device for more keys.
func (d *Device) lowOnKeys(left int) {
	d.notify("encrypt", types.ServerJID, nil, countNode(left))
}

// deviceOf returns the device of a JID, or nil.
func (s *Server) deviceOf(jid types.JID) *Device {
	if a := s.find(jid); a != nil {
		return a.device(jid.Device)
	}
	return nil
}
