package pool

import (
	"fmt"
	"sync"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// Sends to new people at the same time ask WhatsApp about all of them together, and every message can
// be read. Each device's one-time key starts only one session.
func TestMeet(t *testing.T) {
	const people = 24
	w := newWorld(t, wasim.Options{})
	i, _, err := w.pair(w.open(nil), 1)
	must(t, err)
	phones := make([]*wasim.Phone, people)
	for n := range phones {
		phones[n], err = w.sim.NewPhone(w.ctx(), fmt.Sprintf("55119%08d", n))
		must(t, err)
	}
	asked := func(namespace string) (n int) {
		return len(w.sim.Stanzas(func(s wasim.Stanza) bool {
			return s.Direction == wasim.In && s.Node.Tag == "iq" && s.Node.Attrs["xmlns"] == namespace && s.Node.Attrs["type"] == "get"
		}))
	}
	devices, keys := asked("usync"), asked("encrypt")
	release, err := i.take(w.ctx()) // no send gets its turn before all have asked
	must(t, err)
	ctx := w.ctx()
	var met, sent sync.WaitGroup
	for n, phone := range phones {
		met.Add(1)
		sent.Go(func() {
			to := phone.Account().LID()
			i.Meet(ctx, to)
			met.Done()
			_, err := i.Send(ctx, Outgoing{To: to, ID: fmt.Sprintf("3EB0%018X", n), Message: &waE2E.Message{Conversation: proto.String("hello")}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	met.Wait()
	release()
	sent.Wait()
	if devices, keys = asked("usync")-devices, asked("encrypt")-keys; devices > people/2 || keys > people/2 || keys == 0 {
		t.Errorf("%d people, %d questions about devices and %d about keys", people, devices, keys)
	}
	for n, phone := range phones {
		_, err := phone.Wait(ctx, func(m wasim.Message) bool { return m.Text == "hello" })
		if err != nil {
			t.Errorf("phone %d: %v", n, err)
		}
	}
	if held := len(i.acquainted.begun); held > 0 {
		t.Errorf("%d sessions are in use and still held", held)
	}
	before := asked("usync")
	i.Meet(ctx, phones[0].Account().LID())
	if asked("usync") > before {
		t.Error("somebody known was asked about again")
	}
}
