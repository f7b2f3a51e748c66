package node

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// TestChannelPostIsSentAnew: a post whose answer was lost is sent again under its id and with its
// picture's handle, although the picture is no longer at its URL.
func TestChannelPostIsSentAnew(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	offers, err := w.sim.NewNewsletter("Offers", w.sim.Account(shopNumber), ana.Account())
	w.must(err)
	content := picture(t)
	files := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(content) }))
	menu := menuTo(offers.JID().String())
	menu["mediaUrl"], menu["mediaType"] = files.URL+"/menu.png", "IMAGE"
	r := client.Request{Operation: send.OpButtons, Input: raw(t, menu), Key: "k"}

	w.fault(wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageMessage, Recipient: offers.JID().String()}, Times: 1, Action: wasim.Fault{DropAck: true}})
	ctx, leave := context.WithCancel(w.ctx())
	first := make(chan error, 1)
	go func() {
		_, err := w.node.Execute(ctx, r, nil)
		first <- err
	}()
	m, err := ana.Wait(w.ctx(), func(m wasim.Message) bool { return strings.Contains(m.Text, "1. Talk to sales") })
	w.must(err)
	id := m.ID
	leave() // the caller did not wait for the answer
	if err := <-first; err == nil {
		t.Fatal("the first call succeeded without an answer")
	}
	files.Close()

	var out send.Output
	w.must(w.repeat(r, &out))
	posts := offers.Posts()
	if out.MessageID != id || len(posts) != 2 || posts[1].ID != id || posts[1].MediaID == "" || posts[1].MediaID != posts[0].MediaID {
		t.Errorf("sent %s, posts %+v", out.MessageID, posts)
	}
}

// repeat executes a request until the earlier call is over.
func (w *world) repeat(r client.Request, into any) error {
	w.t.Helper()
	ctx := w.ctx()
	for {
		err := w.execute(r, into)
		if err == nil || ctx.Err() != nil || problemOf(w.t, err).Code != "in_flight" {
			return err
		}
	}
}
