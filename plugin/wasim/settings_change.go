package wasim

import (
	"context"

	"go.mau.fi/whatsmeow/appstate"
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
		}
	}
	a.announceChange(change, nil)
	return nil
}
