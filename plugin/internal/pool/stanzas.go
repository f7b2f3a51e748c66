package pool

import (
	"slices"
	"sync"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// clientLog is a client's log, and the one place where whatsmeow shows a whole stanza:
// it hands every one it receives to its log before it handles it. From there we take
// what its events leave out.
type clientLog struct {
	waLogger
	received func(*waBinary.Node)
}

// Sub names the module; that of received stanzas also shows them.
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

// Debugf takes the stanza and writes nothing.
func (l stanzaLog) Debugf(_ string, args ...any) {
	for _, arg := range args {
		if node, ok := arg.(*waBinary.Node); ok {
			l.received(node)
		}
	}
}

// see takes what whatsmeow's events leave out of a stanza.
func (i *Instance) see(node *waBinary.Node) {
	switch node.Tag {
	case "receipt":
		i.asking.see(node)
	case "ack":
		if attrs := node.AttrGetter(); attrs.OptionalString("refresh_lid") == "true" {
			id := attrs.OptionalString("id")
			i.readdressed.Store(&id)
		}
	}
}

// maxAsking is how many retry receipts wait for whatsmeow to get to them: it works on
// a few at a time.
const maxAsking = 256

// asking are the retry receipts that bring keys, until whatsmeow asks what to do about
// them: a device that has lost its session sends new keys with its question, and
// PreRetryCallback does not show them.
type asking struct {
	mu    sync.Mutex
	nodes map[question]*waBinary.Node
	order []question // oldest first
}

type question struct {
	device types.JID
	id     types.MessageID
}

// see keeps a receipt that is a retry receipt with keys.
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

// take returns the receipt of a device about a message, and forgets it; nil: it brought
// no keys.
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
