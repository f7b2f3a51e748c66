package node

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk/client"
)

const otherNumber = "551130000002"

// TestHostsHearWhichInstanceIsAway: from the loss of its connection until the host has everything
// that WhatsApp kept for it, an instance is reported as behind, and no other instance is.
func TestHostsHearWhichInstanceIsAway(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	w.pair("other", otherNumber)
	menu := w.ask(menuTo(anaNumber), ana)

	news := make(chan string, 10)
	sub, err := w.node.Subscribe(w.ctx(), client.Start{Operation: opButtonClick, Subscriber: "test",
		CaughtUp: func() { news <- "caught up" },
		Behind:   func(subject string, behind bool) { news <- fmt.Sprint(subject, " ", behind) }})
	w.must(err)
	go func() {
		for {
			ev, err := sub.Recv()
			if err != nil {
				close(news)
				return
			}
			news <- "tap"
			if err := sub.Ack(ev.Sequence); err != nil {
				t.Error(err)
			}
		}
	}()
	var heard []string
	until := func(word string) {
		t.Helper()
		for one := range news {
			if heard = append(heard, one); one == word {
				return
			}
		}
		t.Fatalf("heard %q and no %s", heard, word)
	}
	until("caught up")
	device := w.sim.Account(shopNumber).Linked()[0]
	device.Hold(true)
	_, err = ana.Click(w.ctx(), menu, "sales", wasim.ShapeInteractive)
	w.must(err)
	device.Drop()
	until("shop true")
	w.must(device.WaitActive(w.ctx()))
	device.Hold(false)
	until("shop false")
	if want := []string{"caught up", "shop true", "tap", "shop false"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
}

// A later acknowledgement covers the events of an earlier one, so one that cannot be stored is no
// error once the next is.
func TestLaterAcknowledgementCoversEarlier(t *testing.T) {
	t.Parallel()
	begun, stored := make(chan string), make(chan error)
	a := acks{store: func(cursor []byte) error {
		begun <- string(cursor)
		return <-stored
	}}
	put := func(cursor string) {
		if err := a.put([]byte(cursor)); err != nil {
			t.Fatal(err)
		}
	}
	put("1")
	<-begun
	put("2")
	stored <- errors.New("the disk is full")
	<-begun
	stored <- nil
	if err := a.close(); err != nil {
		t.Errorf("the stream ends with %v", err)
	}
}
