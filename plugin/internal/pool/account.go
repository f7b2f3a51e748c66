package pool

import (
	"context"
	"time"

	wastore "go.mau.fi/whatsmeow/store"

	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// own makes the device's account the owner of the data stored under the instance's name. If a
// different account was paired before, its menus, messages and contacts are deleted: clicks on its
// menus can no longer arrive, and a text must not be taken for an answer to a menu that another
// account sent.
func (i *Instance) own(ctx context.Context, r registry.Instance, device *wastore.Device) error {
	account := registry.Account{JID: device.GetJID().ToNonAD().String()}
	if lid := device.GetLID().ToNonAD(); !lid.IsEmpty() {
		account.LID = lid.String()
	}
	if r.Account == account {
		return nil
	}
	another, err := i.pool.opts.Registry.Own(ctx, i.name, account)
	if err != nil || !another {
		return err
	}
	i.log.Warn("the instance has another account than before; menus, messages and contacts of that one are removed")
	if i.pool.opts.Changed != nil {
		i.pool.opts.Changed(ctx, i.name)
	}
	return nil
}

// doubt records whether logins are unstable, and reports whether that has changed.
func (i *Instance) doubt(unsure bool) (news bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	news = i.unsure != unsure
	i.unsure = unsure
	return news
}

// standing returns the trouble of a connected instance when there is no more serious one, or nil.
func (i *Instance) standing() *Trouble {
	i.mu.Lock()
	unsure := i.unsure
	i.mu.Unlock()
	if unsure {
		return unstable()
	}
	if twin := i.pool.twin(i); twin != "" {
		return &Trouble{Code: codeTwin, At: time.Now(),
			Message: "the instance " + twin + " is paired with the same WhatsApp account, so each message and click arrives at both; log one of them out"}
	}
	return nil
}

// twin returns the name of the first other instance, by name, with the same account, or "".
func (p *Pool) twin(i *Instance) (name string) {
	own := i.Account().JID
	if own.IsEmpty() {
		return ""
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, other := range p.byName {
		if other != i && other.Account().JID == own && (name == "" || other.name < name) {
			name = other.name
		}
	}
	return name
}

// compare updates the shared-account trouble of the connected instances after changed gained or
// lost its account.
func (p *Pool) compare(changed *Instance) {
	account := changed.Account().JID
	for _, i := range p.List() {
		if i == changed || !sharing(i.Status()) && (account.IsEmpty() || i.Account().JID != account) {
			continue
		}
		trouble := i.standing()
		shared := trouble != nil && trouble.Code == codeTwin
		i.change(func(now Status) bool {
			return now.State == Connected && (shared && now.Trouble == nil || !shared && sharing(now))
		}, Connected, trouble)
	}
}

// sharing reports whether the status says that another instance has the same account.
func sharing(s Status) bool { return s.Trouble != nil && s.Trouble.Code == codeTwin }
