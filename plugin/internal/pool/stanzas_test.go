package pool

import (
	"fmt"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

func retryReceipt(from types.JID, id string, children ...waBinary.Node) *waBinary.Node {
	return &waBinary.Node{
		Tag: "receipt", Attrs: waBinary.Attrs{"type": "retry", "from": from, "id": id},
		Content: append(children, waBinary.Node{Tag: "retry", Attrs: waBinary.Attrs{"id": id, "count": "1"}}),
	}
}

// TestAskingIsBounded: receipts without keys are not kept, those with keys are kept once, and their
// number is limited.
func TestAskingIsBounded(t *testing.T) {
	var a asking
	ana := types.NewJID("123456789012345", types.HiddenUserServer)
	keys := waBinary.Node{Tag: "keys"}
	a.see(retryReceipt(ana, "plain"))
	a.see(retryReceipt(ana, "keys", keys))
	if a.take(ana, "plain") != nil || a.take(types.EmptyJID, "keys") != nil || a.take(ana, "keys") == nil || a.take(ana, "keys") != nil {
		t.Error("the wrong receipts are kept")
	}
	for n := range 3 * maxAsking {
		a.see(retryReceipt(ana, fmt.Sprint(n), keys))
	}
	if len(a.nodes) != maxAsking || len(a.order) != maxAsking || a.take(ana, fmt.Sprint(3*maxAsking-1)) == nil {
		t.Errorf("%d receipts are kept", len(a.nodes))
	}
}

// TestReaddressed: the pool notices an acknowledgement that names another LID, which whatsmeow does not
// report.
func TestReaddressed(t *testing.T) {
	i := &Instance{}
	log := clientLog{received: i.see}
	for _, node := range []*waBinary.Node{
		{Tag: "ack", Attrs: waBinary.Attrs{"class": "message", "id": "A", "refresh_lid": "true"}},
		{Tag: "ack", Attrs: waBinary.Attrs{"class": "message", "id": "B"}},
	} {
		stanzaLog{received: log.received}.Debugf("%s", node)
	}
	if id := i.readdressed.Load(); id == nil || *id != "A" {
		t.Errorf("readdressed: %v", id)
	}
}

func TestDeviceAtIsTheInverseOfSignalAddress(t *testing.T) {
	for _, server := range []string{types.DefaultUserServer, types.HiddenUserServer, types.HostedServer, types.HostedLIDServer} {
		jid := types.JID{User: "5511988880001", Device: 17, Server: server}
		if got := deviceAt(jid.SignalAddress().String()); got != jid {
			t.Errorf("%v became %v", jid, got)
		}
	}
}
