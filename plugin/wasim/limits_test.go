package wasim_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// A full queue loses what comes behind, and says how much.
func TestFullQueue(t *testing.T) {
	s := start(t, wasim.Options{Limits: wasim.Limits{Queue: 3}})
	a, b := customer(t, s, "5511988880001"), customer(t, s, "5511988880002")
	ctx := within(t)
	b.Disconnect()
	var first string
	for i := range 5 {
		id, err := a.SendText(ctx, b.JID(), fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = id
		}
	}
	if b.Device().Pending() != 3 || s.Lost() < 2 {
		t.Errorf("%d wait, %d lost", b.Device().Pending(), s.Lost())
	}
	if err := b.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := b.WaitID(ctx, first); err != nil {
		t.Fatal(err)
	}
}

func TestAccountLimit(t *testing.T) {
	s := start(t, wasim.Options{Limits: wasim.Limits{Accounts: 1}})
	if _, err := s.NewAccount("5511988880001"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.NewAccount("5511988880002"); !errors.Is(err, wasim.ErrTooMany) {
		t.Errorf("one account too many: %v", err)
	}
}

// An inbox and the records keep the newest.
func TestNewestStay(t *testing.T) {
	s := start(t, wasim.Options{Limits: wasim.Limits{Inbox: 2, Messages: 2, Stanzas: 10}})
	a, b := customer(t, s, "5511988880001"), customer(t, s, "5511988880002")
	ctx := within(t)
	var ids []string
	for i := range 4 {
		id, err := a.SendText(ctx, b.JID(), fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.WaitID(ctx, id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	in := b.Inbox()
	if len(in) != 2 || in[0].ID != ids[2] || in[1].ID != ids[3] {
		t.Errorf("inbox %+v", in)
	}
	if _, ok := s.Record(ids[0]); ok {
		t.Error("the oldest message is still on record")
	}
	all := s.Stanzas(nil)
	if len(all) != 10 || all[9].Seq != all[0].Seq+9 {
		t.Errorf("%d stanzas, from %d on", len(all), all[0].Seq)
	}
}

// The function of the options is asked before the rules.
func TestOnFault(t *testing.T) {
	s := start(t, wasim.Options{OnFault: func(ev wasim.FaultEvent) wasim.Fault {
		if ev.Stage == wasim.StageMessage && ev.Recipient == "5511988880002" {
			return wasim.Fault{AckError: &wasim.AckError{Code: 475}}
		}
		return wasim.Fault{}
	}})
	a, b := customer(t, s, "5511988880001"), customer(t, s, "5511988880002")
	if _, err := a.SendText(within(t), b.JID(), "no"); err == nil || err.Error() != "server returned error 475" {
		t.Errorf("got %v", err)
	}
	if _, err := b.SendText(within(t), a.JID(), "yes"); err != nil {
		t.Error(err)
	}
}

// After Close nothing works any more, and nothing hangs.
func TestClosed(t *testing.T) {
	s := start(t, wasim.Options{})
	p := customer(t, s, "5511988880001")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.NewAccount("5511988880002"); !errors.Is(err, wasim.ErrClosed) {
		t.Errorf("account on a closed server: %v", err)
	}
	if _, err := p.Wait(within(t), func(wasim.Message) bool { return false }); !errors.Is(err, wasim.ErrClosed) {
		t.Errorf("waiting on a closed server: %v", err)
	}
}
