package pool

import (
	"errors"
	"sync"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/wasim"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// TestUnlinkedWhileItReadsSettings: the owner unlinks a device that has just been paired and still
// fetches the account's settings. Nothing of the session stays behind, and (under -race) the device is
// not cleared while a goroutine reads it.
func TestUnlinkedWhileItReadsSettings(t *testing.T) {
	asked := make(chan struct{})
	ask := sync.OnceFunc(func() { close(asked) })
	w := newWorld(t, wasim.Options{OnFault: func(e wasim.FaultEvent) wasim.Fault {
		if e.Stage == wasim.StageIQ && e.Type == "w:sync:app:state" {
			ask()
			return wasim.Fault{Drop: true} // instead of an answer the connection ends
		}
		return wasim.Fault{}
	}})
	i, account, err := w.pair(w.open(nil), 1)
	must(t, err)
	<-asked
	cli := i.cli.Load()
	device := account.Linked()[0].JID()
	if _, err := w.db.Devices.Device(w.ctx(), device); err != nil {
		t.Fatalf("the session of a paired device: %v", err)
	}
	account.Logout()
	w.until(i, "logged out", in(LoggedOut))
	if got := i.Account(); got != (Account{}) {
		t.Errorf("after the logout the instance still is %+v", got)
	}
	w.gone(device)
	if err := cli.Store.Delete(w.ctx()); !errors.Is(err, errDeleted) || cli.Store.GetJID() != device {
		t.Errorf("whatsmeow deletes a device: %v, and leaves %v of it in memory, want all of %v", err, cli.Store.GetJID(), device)
	}
}

// TestUnlinkedWhileItConnects: if the device is logged out during a call of Connect, the error says so,
// because the caller has to pair again, and does not blame another call.
func TestUnlinkedWhileItConnects(t *testing.T) {
	logins := make(chan struct{})
	w := newWorld(t, wasim.Options{OnFault: func(e wasim.FaultEvent) wasim.Fault {
		if e.Stage == wasim.StageLogin {
			<-logins
		}
		return wasim.Fault{}
	}})
	device := w.adopt(1)
	i, err := w.open(nil).Get("shop-001")
	must(t, err)
	w.until(i, "connecting", in(Connecting))
	err = i.Connect(w.ctx(), "", func(step Prompt) {
		if step.Stage == StageConnecting {
			device.Logout()
			close(logins)
			w.until(i, "logged out", in(LoggedOut))
		}
	})
	if refused, ok := errors.AsType[*RefusedError](err); !ok || refused.Status.Trouble.Code != "logged_out" {
		t.Errorf("Connect = %v, want that the device was removed", err)
	}
}

// gone waits until the session of a device is deleted: whatsmeow tells us of the logout
// before it deletes.
func (w *world) gone(device types.JID) {
	w.t.Helper()
	for ctx := w.ctx(); ; {
		_, err := w.db.Devices.Device(ctx, device)
		if errors.Is(err, sqldb.ErrNotFound) {
			return
		}
		must(w.t, err)
	}
}
