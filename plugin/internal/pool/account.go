package pool

import (
	"context"
	"time"

	wastore "go.mau.fi/whatsmeow/store"

	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// own makes the account that the device belongs to the owner of what is stored under the
// instance's name. Menus, messages and contacts of another one that was paired here
// before go away: their clicks cannot arrive any more, and words must not be taken for
// an answer to a menu that somebody else sent.
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

// doubt notes whether logins last, and reports whether that is news.
func (i *Instance) doubt(unsure bool) (news bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	news = i.unsure != unsure
	i.unsure = unsure
	return news
}

// standing is what a connected instance is in trouble with while nothing worse is the
// matter; nil for nothing.
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

// twin is the first other instance with the same account, by name; "" for none.
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

// compare tells the connected instances whether they still have their account for
// themselves, after changed came or went.
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

// sharing reports whether an instance was told that another one has its account.
func sharing(s Status) bool { return s.Trouble != nil && s.Trouble.Code == codeTwin }
