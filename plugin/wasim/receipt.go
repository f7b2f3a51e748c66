package wasim

import (
	"strings"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// onReceipt handles a <receipt>, which acknowledges the message to the server; the server passes the receipt on.
func (c *conn) onReceipt(n *waBinary.Node) {
	id, kind, to := text(n, "id"), text(n, "type"), address(n, "to")
	switch kind {
	case "", "inactive", "sender", "peer_msg", "hist_sync", "server-error":
		c.dev.acked("message", id, to)
	}
	for _, each := range receiptIDs(n) {
		c.s.record.amend(each, func(r *MessageRecord) {
			r.Receipts = add(r.Receipts, ReceiptRecord{Time: time.Now(), From: c.dev.jid, Type: kind})
		})
	}
	c.send(waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{"class": "receipt", "id": id, "type": kind, "from": to}})
	if to.Server == types.GroupServer {
		c.groupReceipt(n)
		return
	}
	if to.Server == types.BroadcastServer {
		to = address(n, "participant")
	}
	a := c.s.find(to)
	if a == nil || strings.HasSuffix(kind, "-self") {
		return // read receipts are off: the receipt goes to nobody
	}
	for _, d := range *a.list.Load() {
		if d == c.dev {
			continue
		}
		// A receipt about one copy goes to the device that made the copy; ticks go to every device.
		if own := a == c.dev.account; (own || kind == "retry") && d.jid.Device != to.Device {
			continue
		}
		c.passReceipt(d, n, waBinary.Attrs{"from": c.dev.in(to.Server)})
	}
}

// receiptIDs lists the messages a receipt is about.
func receiptIDs(n *waBinary.Node) []string {
	ids := []string{text(n, "id")}
	if list := child(n, "list"); list != nil {
		for _, item := range list.GetChildren() {
			ids = append(ids, text(&item, "id"))
		}
	}
	return ids
}

// passReceipt queues the receipt for one device.
func (c *conn) passReceipt(d *Device, n *waBinary.Node, attrs waBinary.Attrs) {
	attrs["id"], attrs["t"] = text(n, "id"), time.Now().Unix()
	if kind := text(n, "type"); kind != "" {
		attrs["type"] = kind
	}
	for _, key := range []string{"recipient", "category", "edit"} {
		if v, ok := n.Attrs[key]; ok {
			attrs[key] = v
		}
	}
	d.deliver(&queued{
		class: "receipt", id: text(n, "id"), from: attrs["from"].(types.JID),
		node: waBinary.Node{Tag: "receipt", Attrs: attrs, Content: n.Content},
	})
}
