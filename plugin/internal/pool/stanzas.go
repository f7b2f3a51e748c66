package pool

import (
	"slices"
	"sync"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// clientLog is a client's log. It is also the only place where whatsmeow exposes a whole stanza:
// whatsmeow logs every stanza it receives before it handles it. From there we read the parts that
// its events omit.
type clientLog struct {
	waLogger
	received func(*waBinary.Node)
}

// unhandled is whatsmeow's warning when a handler leaves a message unacknowledged. The cause is
// logged where it is known, and usually the message is only waiting for the disk.
const unhandled = "Handler for %s failed"

// Warnf logs at level warn.
func (l clientLog) Warnf(msg string, args ...any) {
	if msg != unhandled {
		l.waLogger.Warnf(msg, args...)
	}
}

// Sub returns the log of a module. The one for received stanzas also passes them on.
func (l clientLog) Sub(module string) waLog.Logger {
	sub := waLogger{l.log.With("module", module)}
	if module != "Recv" {
		return sub
	}
	return stanzaLog{sub, l.received}
}

type stanzaLog struct {
	waLogger
	received func(*waBinary.Node)
}

// Debugf passes the stanza on and logs nothing.
func (l stanzaLog) Debugf(_ string, args ...any) {
	for _, arg := range args {
		if node, ok := arg.(*waBinary.Node); ok {
			l.received(node)
		}
	}
}

// see reads the parts of a stanza that whatsmeow's events omit.
func (i *Instance) see(node *waBinary.Node) {
	switch node.Tag {
	case "message":
		i.arriving.see(node)
	case "receipt":
		i.asking.see(node)
	case "ack":
		if attrs := node.AttrGetter(); attrs.OptionalString("refresh_lid") == "true" {
			id := attrs.OptionalString("id")
			i.readdressed.Store(&id)
		}
	}
}

// maxAsking limits the retry receipts that wait until whatsmeow handles them, which it does a few
// at a time.
const maxAsking = 256

// asking holds the retry receipts that carry keys until whatsmeow asks how to answer them: a device
// that has lost its session sends new keys with its retry receipt, and PreRetryCallback does not
// pass them on.
type asking struct {
	mu    sync.Mutex
	nodes map[question]*waBinary.Node
	order []question // oldest first
}

type question struct {
	device types.JID
	id     types.MessageID
}

// see keeps the receipt if it is a retry receipt with keys.
func (a *asking) see(node *waBinary.Node) {
	if node.Attrs["type"] != string(types.ReceiptTypeRetry) {
		return
	}
	retry, _ := node.GetOptionalChildByTag("retry")
	if _, ok := node.GetOptionalChildByTag("keys"); !ok {
		return
	}
	attrs, inner := node.AttrGetter(), retry.AttrGetter()
	q := question{attrs.OptionalJIDOrEmpty("participant"), inner.OptionalString("id")}
	if q.device.IsEmpty() {
		q.device = attrs.OptionalJIDOrEmpty("from")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.nodes == nil {
		a.nodes = make(map[question]*waBinary.Node)
	}
	if _, known := a.nodes[q]; !known {
		a.order = append(a.order, q)
	}
	a.nodes[q] = node
	if len(a.order) > maxAsking {
		delete(a.nodes, a.order[0])
		a.order = a.order[1:]
	}
}

// take removes and returns a device's receipt about a message, or nil if it carried no keys.
func (a *asking) take(device types.JID, id types.MessageID) *waBinary.Node {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := question{device, id}
	node := a.nodes[q]
	if node != nil {
		delete(a.nodes, q)
		a.order = slices.DeleteFunc(a.order, func(o question) bool { return o == q })
	}
	return node
}

// maxArriving is more messages than whatsmeow reads ahead. If a stanza is dropped here
// nevertheless, whatsmeow itself acknowledges its message.
const maxArriving = 4096

// arriving holds the stanzas of messages with one ciphertext until whatsmeow hands over the
// decrypted message, because the acknowledgement refers to the stanza.
type arriving struct {
	mu    sync.Mutex
	nodes []*waBinary.Node // oldest first
}

// see keeps the stanza of a message.
func (a *arriving) see(node *waBinary.Node) {
	if len(node.GetChildrenByTag("enc")) != 1 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.nodes) == maxArriving {
		a.nodes = a.nodes[1:]
	}
	a.nodes = append(a.nodes, node)
}

// take returns the stanza of a message and forgets it along with all earlier ones, since whatsmeow
// keeps their order. It returns nil if the stanza is not there or is not the message's own.
func (a *arriving) take(m *events.Message) *waBinary.Node {
	if m.UnavailableRequestID != "" { // it came inside another message
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for n, node := range a.nodes {
		attrs := node.AttrGetter()
		sender := attrs.OptionalJIDOrEmpty("participant")
		if sender.IsEmpty() {
			sender = attrs.OptionalJIDOrEmpty("from")
		}
		if attrs.OptionalString("id") == m.Info.ID && sender == m.Info.Sender {
			if a.nodes = a.nodes[n+1:]; len(a.nodes) == 0 {
				a.nodes = nil
			}
			return node
		}
	}
	return nil
}

// forget drops the stanzas of a connection that has ended.
func (a *arriving) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.nodes = nil
}
