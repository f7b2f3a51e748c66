package wasim_test

import (
	"testing"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// What the owner changes on the phone reaches the linked client, and the other way round.
func TestSettingsTravelBothWays(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000", wasim.PushName("Shop"))
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	await(t, b, 0, func(e *events.AppStateSyncComplete) bool { return e.Name == appstate.WAPatchRegularLow })

	at := b.position()
	if err := b.account.SetPushName(ctx, "New Shop"); err != nil {
		t.Fatal(err)
	}
	await(t, b, at, func(e *events.PushNameSetting) bool { return e.Action.GetName() == "New Shop" })
	if b.cli.Store.PushName != "New Shop" {
		t.Errorf("the client calls itself %q", b.cli.Store.PushName)
	}
	if err := b.account.ChangeSettings(ctx, appstate.BuildMute(p.JID(), true, time.Hour)); err != nil {
		t.Fatal(err)
	}
	await(t, b, at, func(e *events.Mute) bool { return e.JID == p.JID() && e.Action.GetMuted() })

	if err := b.cli.SendAppState(ctx, appstate.BuildSettingPushName("Client's choice")); err != nil {
		t.Fatal(err)
	}
	await(t, b, at, func(e *events.PushNameSetting) bool { return e.Action.GetName() == "Client's choice" })
	noUnhandled(t, s)
}
