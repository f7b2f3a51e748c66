package wasim

import (
	"context"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// queryHandler answers the queries of one namespace. Nodes become the content of the result; an IQError refuses;
// errNotMine leaves the query to the empty answer that unknown ones get.
type queryHandler func(c *conn, iq *waBinary.Node) ([]waBinary.Node, *IQError)

var errNotMine = &IQError{Code: -1}

// queryHandlers is the table of namespaces; a new one is one line here.
func (s *Server) queryHandlers() map[string]queryHandler {
	return map[string]queryHandler{
		"encrypt":           onEncrypt,
		"usync":             onUsync,
		"passive":           onPassive,
		"w:p":               onPing,
		"md":                onDevices,
		"privacy":           onPrivacy,
		"w:m":               onMediaConn,
		"w:g2":              onGroups,
		"w:mex":             onMex,
		"w:sync:app:state":  onAppState,
		"w:profile:picture": onPicture,
		"blocklist":         onBlocklist,
	}
}

func (c *conn) onIQ(iq *waBinary.Node) {
	if kind := text(iq, "type"); kind == "result" || kind == "error" {
		c.answered(iq)
		return
	}
	account := ""
	if c.dev != nil {
		account = c.dev.account.phone
	}
	f := c.s.fault(FaultEvent{Stage: StageIQ, Account: account, Type: text(iq, "xmlns")})
	if f == (Fault{}) {
		c.answer(iq)
		return
	}
	c.s.later(time.Duration(f.Delay), func() { c.badAnswer(iq, f) })
}

// badAnswer answers as the fault wants.
func (c *conn) badAnswer(iq *waBinary.Node, f Fault) {
	if f.Disconnect == Before {
		c.cancel()
		return
	}
	switch {
	case f.IQError != nil:
		c.refuse(iq, f.IQError)
	case !f.Drop:
		c.answer(iq)
	}
	c.farewell(f)
}

// farewell ends the connection in the way a fault asks for, if it does.
func (c *conn) farewell(f Fault) {
	switch {
	case f.StreamError != nil:
		c.bye(streamError(f.StreamError.Code, ""))
	case f.Replaced:
		c.bye(streamError(0, "replaced"))
	case f.Logout && c.dev != nil:
		c.dev.Logout()
	case f.Disconnect == After:
		c.out.end()
	}
}

func (c *conn) answer(iq *waBinary.Node) {
	handle := c.s.queries[text(iq, "xmlns")]
	if c.dev == nil {
		handle = onUnpaired
	}
	if handle == nil {
		c.s.record.unhandled(iq)
		c.result(iq, nil)
		return
	}
	content, refusal := handle(c, iq)
	switch {
	case refusal == errNotMine:
		c.s.record.unhandled(iq)
		c.result(iq, nil)
	case refusal != nil:
		c.refuse(iq, refusal)
	default:
		c.result(iq, content)
		c.afterwards(iq)
	}
}

func (c *conn) result(iq *waBinary.Node, content []waBinary.Node) {
	n := waBinary.Node{Tag: "iq", Attrs: answerAttrs(iq, "result")}
	if len(content) > 0 {
		n.Content = content
	}
	c.send(n)
}

func (c *conn) refuse(iq *waBinary.Node, e *IQError) {
	attrs := waBinary.Attrs{"code": e.Code}
	if e.Text != "" {
		attrs["text"] = e.Text
	}
	c.send(waBinary.Node{Tag: "iq", Attrs: answerAttrs(iq, "error"), Content: []waBinary.Node{{Tag: "error", Attrs: attrs}}})
}

func answerAttrs(iq *waBinary.Node, kind string) waBinary.Attrs {
	from := address(iq, "to")
	if from.IsEmpty() {
		from = types.ServerJID
	}
	return waBinary.Attrs{"from": from, "type": kind, "id": text(iq, "id")}
}

// first returns the element the query is about; a query without one gets an empty element.
func first(iq *waBinary.Node) *waBinary.Node {
	if c := iq.GetChildren(); len(c) > 0 {
		return &c[0]
	}
	return &waBinary.Node{}
}

func onPing(*conn, *waBinary.Node) ([]waBinary.Node, *IQError) { return nil, nil }

func onPassive(*conn, *waBinary.Node) ([]waBinary.Node, *IQError) { return nil, nil }

func onDevices(c *conn, iq *waBinary.Node) ([]waBinary.Node, *IQError) {
	what := first(iq)
	if what.Tag != "remove-companion-device" {
		return nil, errNotMine
	}
	d := c.dev.account.device(address(what, "jid").Device)
	if d == nil || d.jid.Device == 0 {
		return nil, &IQError{Code: 404, Text: "item-not-found"}
	}
	if d != c.dev {
		d.Logout()
	}
	return nil, nil
}

// afterwards does what comes behind the result of a query: an active client gets what waits for it, one that has unlinked
// itself is forgotten.
func (c *conn) afterwards(iq *waBinary.Node) {
	switch what := first(iq); {
	case c.dev == nil:
	case what.Tag == "active":
		c.dev.activate(c)
	case what.Tag == "remove-companion-device" && address(what, "jid").Device == c.dev.jid.Device:
		c.dev.account.remove(c.dev, waBinary.Node{})
	}
}

// onMediaConn names this server as media host. Clients say https; Attach leads them here in plain.
func onMediaConn(c *conn, iq *waBinary.Node) ([]waBinary.Node, *IQError) {
	if first(iq).Tag != "media_conn" {
		return nil, errNotMine
	}
	return []waBinary.Node{c.s.mediaConn(c.s.address)}, nil
}

func onAppState(c *conn, iq *waBinary.Node) ([]waBinary.Node, *IQError) {
	sync := first(iq)
	if sync.Tag != "sync" {
		return nil, errNotMine
	}
	ctx, cancel := context.WithTimeout(c.ctx, writeTimeout)
	defer cancel()
	return c.dev.account.syncSettings(ctx, c.dev, *sync), nil
}

func onPicture(*conn, *waBinary.Node) ([]waBinary.Node, *IQError) {
	return nil, &IQError{Code: 404, Text: "item-not-found"}
}

func onBlocklist(*conn, *waBinary.Node) ([]waBinary.Node, *IQError) {
	return []waBinary.Node{{Tag: "list", Attrs: waBinary.Attrs{"dhash": "0"}}}, nil
}
