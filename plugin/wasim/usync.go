package wasim

import (
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// onUsync answers queries about numbers: whether they exist, their LID, their devices.
func onUsync(c *conn, iq *waBinary.Node) ([]waBinary.Node, *IQError) {
	usync := first(iq)
	query, list := child(usync, "query"), child(usync, "list")
	if query == nil || list == nil {
		return nil, &IQError{Code: 400, Text: "bad-request"}
	}
	asked := list.GetChildren()
	users := make([]waBinary.Node, 0, len(asked))
	for i := range asked {
		if user, ok := c.s.usyncUser(query, &asked[i]); ok {
			users = append(users, user)
		}
	}
	attrs := waBinary.Attrs{"sid": text(usync, "sid"), "mode": text(usync, "mode"), "context": text(usync, "context"), "index": "0", "last": "true"}
	result := make([]waBinary.Node, len(query.GetChildren()))
	for i, q := range query.GetChildren() {
		result[i] = waBinary.Node{Tag: q.Tag}
	}
	return []waBinary.Node{{Tag: "usync", Attrs: attrs, Content: []waBinary.Node{
		{Tag: "result", Content: result},
		{Tag: "list", Content: users},
	}}}, nil
}

// usyncUser answers for one user, named by JID or as a contact in the form "+<number>@c.us".
func (s *Server) usyncUser(query, asked *waBinary.Node) (waBinary.Node, bool) {
	jid, contact := address(asked, "jid"), payload(asked, "contact")
	var a *Account
	if contact != nil {
		number, err := digits(strings.TrimSuffix(string(contact), "@"+types.LegacyUserServer))
		if err == nil {
			jid = types.NewJID(number, types.DefaultUserServer)
		}
	}
	if jid.User != "" {
		a = s.find(jid)
	} else if contact == nil {
		return waBinary.Node{}, false
	}
	user := waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{}}
	if jid.User != "" {
		user.Attrs["jid"] = jid
	}
	var content []waBinary.Node
	for _, q := range query.GetChildren() {
		switch q.Tag {
		case "contact":
			content = append(content, contactAnswer(user.Attrs, a, jid, contact, text(&q, "addressing_mode") == "lid"))
		case "devices":
			content = append(content, waBinary.Node{Tag: "devices", Content: deviceList(a)})
		case "lid":
			// A LID is not reported as its own LID: some clients take that for a broken mapping.
			if a != nil && jid.Server != types.HiddenUserServer {
				content = append(content, waBinary.Node{Tag: "lid", Attrs: waBinary.Attrs{"val": a.lid}})
			}
		}
	}
	user.Content = content
	return user, true
}

// contactAnswer says whether a number has an account, and puts the account's own JIDs on the <user>.
func contactAnswer(user waBinary.Attrs, a *Account, jid types.JID, contact []byte, byLID bool) waBinary.Node {
	if contact == nil {
		contact = []byte(jid.String())
	}
	kind := "in"
	switch {
	case a == nil:
		kind = "out"
	case byLID:
		user["jid"], user["pn_jid"] = a.lid, a.jid
	default:
		user["jid"] = a.jid
	}
	return waBinary.Node{Tag: "contact", Attrs: waBinary.Attrs{"type": kind}, Content: contact}
}

func deviceList(a *Account) []waBinary.Node {
	if a == nil {
		return []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": 404, "text": "item-not-found"}}}
	}
	devices := *a.list.Load()
	list := make([]waBinary.Node, len(devices))
	for i, d := range devices {
		list[i] = waBinary.Node{Tag: "device", Attrs: waBinary.Attrs{"id": int(d.jid.Device), "key-index": int(d.jid.Device)}}
	}
	return []waBinary.Node{{Tag: "device-list", Content: list}}
}
