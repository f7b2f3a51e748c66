package wasim

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// SetPushName changes the account's name, as its owner does on the phone. The account's linked devices are notified;
// others see the name with the next message.
func (a *Account) SetPushName(ctx context.Context, name string) error {
	return a.ChangeSettings(ctx, appstate.BuildSettingPushName(name))
}

// ChangeSettings changes another setting that WhatsApp keeps in app state, as the owner does on the phone. whatsmeow's
// appstate.Build… functions make the patch. A played phone only passes it to the linked devices.
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

// LockNewChats tells the account's linked devices that WhatsApp locks new chats until the given time or, with the zero
// time, that the lock is lifted. The server itself keeps relaying: add a fault with the ack error 463 to have messages
// refused.
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
