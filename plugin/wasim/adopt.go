package wasim

import (
	"context"

	"go.mau.fi/whatsmeow/store"
)

// Adopt links a device that its program has made (sqlstore.Container.NewDevice), without the conversation of a pairing:
// for those who need hundreds. It fills the device as a pairing would, stores it with its Save, and puts a few one-time
// keys on the server, so that the first login does not make 812.
func (a *Account) Adopt(ctx context.Context, client *store.Device) (*Device, error) {
	ring := keyringOf(client)
	d, err := a.newLinked(&registration{static: *client.NoiseKey.Pub, keys: &ring})
	if err != nil {
		return nil, err
	}
	client.Account, err = a.certify(client.IdentityKey.Pub, uint32(d.jid.Device))
	if err != nil {
		return nil, err
	}
	countersign(client.Account, client.IdentityKey)
	jid := d.jid
	client.ID, client.LID, client.Platform = &jid, d.lid, a.platform()
	if err := client.Save(ctx); err != nil {
		return nil, err
	}
	keys, err := client.PreKeys.GetOrGenPreKeys(ctx, phoneKeys)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		d.keys.oneTime = append(d.keys.oneTime, keyNode("key", k))
	}
	if err := client.PreKeys.MarkPreKeysAsUploaded(ctx, keys[len(keys)-1].KeyID); err != nil {
		return nil, err
	}
	if err := client.Identities.PutIdentity(ctx, a.lid.SignalAddress().String(), [32]byte(client.Account.AccountSignatureKey)); err != nil {
		return nil, err
	}
	if err := client.LIDs.PutLIDMapping(ctx, a.lid, a.jid); err != nil {
		return nil, err
	}
	a.addDevice(d)
	a.announceDevices(d)
	return d, nil
}
