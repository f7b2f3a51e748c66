package pool

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// Info describes an instance, whichever process has claimed it.
type Info struct {
	Name      string
	CreatedAt time.Time
	Status    Status
	Account   Account // all zero when not paired
}

// Info returns the instance's current state.
func (i *Instance) Info() Info {
	return Info{Name: i.name, CreatedAt: i.created, Status: i.Status(), Account: i.Account()}
}

// Infos describes the instances of all processes, sorted by name, or only the named one unless name
// is "".
func (p *Pool) Infos(ctx context.Context, name string) ([]Info, error) {
	if p.opts.Leased {
		return p.infosOfAll(ctx, name)
	}
	here := p.List()
	if name != "" {
		i, err := p.Get(name)
		if err != nil {
			return nil, err
		}
		here = []*Instance{i}
	}
	infos := make([]Info, len(here))
	for n, i := range here {
		infos[n] = i.Info()
	}
	return infos, nil
}

func (p *Pool) infosOfAll(ctx context.Context, name string) (infos []Info, err error) {
	var all []registry.Instance
	if name == "" {
		all, err = p.opts.Registry.Instances(ctx)
	} else {
		all = make([]registry.Instance, 1)
		all[0], err = p.opts.Registry.Instance(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if i := p.mine(r.Name); i != nil {
			infos = append(infos, i.Info())
		} else {
			infos = append(infos, p.others.info(r))
		}
	}
	return infos, nil
}

// info returns what the process that runs the instance has published about it.
func (o *others) info(r registry.Instance) Info {
	o.mu.RLock()
	one := o.of(r)
	o.mu.RUnlock()
	if one.owner <= gone {
		return unclaimedInfo(r)
	}
	return Info{Name: r.Name, CreatedAt: r.CreatedAt, Status: one.says.Status, Account: one.says.Account}
}

// unclaimedInfo describes an instance that no process runs.
func unclaimedInfo(r registry.Instance) Info {
	info := Info{Name: r.Name, CreatedAt: r.CreatedAt, Status: Status{State: New, Since: r.StateAt, Trouble: unclaimed()}}
	if info.Status.Since.IsZero() {
		info.Status.Since = r.CreatedAt
	}
	info.Status.Trouble.At = info.Status.Since
	switch jid, err := types.ParseJID(r.JID); {
	case err == nil && !jid.IsEmpty():
		info.Status.State, info.Account.JID = Disconnected, jid.ToNonAD()
		if lid, err := types.ParseJID(r.Account.LID); err == nil && r.Account.JID == info.Account.JID.String() {
			info.Account.LID = lid
		}
	case r.State == string(LoggedOut):
		info.Status.State = LoggedOut
	}
	return info
}
