package wasim

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// SetPushName is the owner changing the name on the phone. The account's linked devices are told, and so learn it by
// themselves; others see it with the next message.
func (a *Account) SetPushName(ctx context.Context, name string) error {
	return a.ChangeSettings(ctx, appstate.BuildSettingPushName(name))
}

// ChangeSettings is the owner changing something else that WhatsApp keeps in app state: whatsmeow's appstate.Build…
// functions make the patch. A played phone has no other use for it than to tell the linked devices.
func (a *Account) ChangeSettings(ctx context.Context, patch appstate.PatchInfo) error {
	change, err := a.state.Put(ctx, patch)
	if err != nil {
		return err
	}
	for _, m := range patch.Mutations {
		if name := m.Value.GetPushNameSetting().GetName(); name != "" {
			a.mu.Lock()
			a.pushName = name
			a.mu.Unlock()
			a.s.stir()
		}
	}
	a.announceChange(change, nil)
	return nil
}

// LockNewChats tells the account's linked devices that WhatsApp locks new chats until
// a time, or, with the zero time, that it does not any more. The server itself goes on
// relaying: add a fault with the ack error 463 to have messages refused.
func (a *Account) LockNewChats(until time.Time) {
	lock := `"is_active":false`
	if !until.IsZero() {
		lock = fmt.Sprintf(`"is_active":true,"enforcement_type":"RESTRICT_ALL_COMPANIONS","time_enforcement_ends":"%d"`, until.Unix())
	}
	for _, d := range a.Linked() {
		d.notify("mex", types.ServerJID, nil, waBinary.Node{
			Tag: "update", Attrs: waBinary.Attrs{"op_name": "NotificationAccountReachoutTimelockUpdate"},
			Content: []byte(`{"data":{"xwa2_notify_account_reachout_timelock":{` + lock + `}}}`),
		})
	}
}
