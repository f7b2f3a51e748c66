package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// A lease determines which of the processes that share a database owns an instance. Its epoch
// increases at every handover, and the highest epoch in the registry owns the instance: a call with
// that epoch claims the instance for the process that handles the call. An instance that was ever
// leased stays offline in every process that has not claimed it. With Options.Leased this holds for
// every instance.
const (
	CodeLeaseLost = "lease_lost"      // a newer epoch has claimed the instance elsewhere
	CodeUnclaimed = "lease_unclaimed" // leased, but not claimed since this process started
)

// ErrUnclaimed is a registry.ErrLeaseLost: a call without a lease arrived before the instance was
// claimed.
var ErrUnclaimed = fmt.Errorf("the process has not claimed the instance: %w", registry.ErrLeaseLost)

// Under returns the instance for a call that holds a lease; see Instance.Lease.
func (p *Pool) Under(ctx context.Context, name string, epoch uint64) (*Instance, error) {
	i, err := p.Find(ctx, name)
	if err == nil {
		err = i.Lease(ctx, epoch)
	}
	return i, err
}

// Claim claims an instance, which then comes online if that is wanted; Claim does not wait for it
// and does not pair the instance. news reports whether the claim changed the owner or the epoch. If
// the instance was deleted by another process, the error is sqldb.ErrNotFound.
func (p *Pool) Claim(ctx context.Context, name string, epoch uint64) (news bool, err error) {
	i, err := p.Find(ctx, name)
	if err != nil {
		return false, err
	}
	lost, before := i.isLost(), i.epoch.Load()
	err = i.Lease(ctx, epoch)
	if errors.Is(err, sqldb.ErrNotFound) {
		p.drop(ctx, i)
	}
	return err == nil && (lost || before != epoch), err
}

// Lease checks the lease that a caller holds on the instance, and claims the instance when the
// caller's epoch is newer than the one this process knows. A claim makes the process reload the
// session, because another process may have used it. Epoch 0 means a caller without a lease.
// registry.ErrLeaseLost means that the instance belongs to another process.
func (i *Instance) Lease(ctx context.Context, epoch uint64) error {
	lost := i.isLost()
	switch {
	case epoch == 0 && lost && i.pool.opts.Leased && i.epoch.Load() == 0:
		return ErrUnclaimed
	case epoch == 0 && lost:
		return registry.ErrLeaseLost
	case epoch == 0:
		return nil
	case epoch == i.epoch.Load() && !lost:
		return i.owned(ctx)
	}
	err := i.claim(ctx, epoch)
	if errors.Is(err, registry.ErrLeaseLost) {
		err = errors.Join(err, i.owned(ctx)) // tells whether the caller's epoch is outdated or ours
	}
	return err
}

// claim makes epoch the owner of the instance, and this process the one that runs it.
func (i *Instance) claim(ctx context.Context, epoch uint64) error {
	release, err := i.claims(ctx)
	if err != nil {
		return err
	}
	defer release()
	before, err := i.pool.opts.Registry.ClaimLease(ctx, i.name, epoch)
	if err != nil {
		return err
	}
	mine := i.epoch.Load()
	if before > mine { // another process owned the instance without this one noticing
		i.lose()
	}
	i.epoch.Store(max(epoch, mine))
	i.pool.moved.ring() // other processes are shown the state under the new epoch
	if i.isLost() {
		return i.reload(ctx)
	}
	return nil
}

// lose releases an instance that now belongs to another process.
func (i *Instance) lose() {
	i.mu.Lock()
	i.lost = true
	i.mu.Unlock()
	i.pool.moved.ring()
	if p := i.pairing.Load(); p != nil {
		p.stop()
	}
	i.stir()
}

// claims waits for exclusive access to compare this process's epoch with the registry's.
func (i *Instance) claims(ctx context.Context) (release func(), err error) {
	select {
	case i.claiming <- struct{}{}:
		return func() { <-i.claiming }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Take claims an instance that an earlier process held under a lease, on behalf of a host that uses
// no leases. Such a host has the database to itself, and asserts this by connecting the instance.
func (i *Instance) Take(ctx context.Context) error {
	if i.pool.opts.Leased || !i.isLost() || i.epoch.Load() != 0 {
		return nil
	}
	r, err := i.pool.opts.Registry.Instance(ctx, i.name)
	if err != nil {
		return fmt.Errorf("read the lease: %w", err)
	}
	return i.Lease(ctx, r.Epoch)
}

// owned asks the registry whether the instance still belongs to this process, and takes it offline
// if it does not.
func (i *Instance) owned(ctx context.Context) error {
	_, err := i.record(ctx)
	return err
}

// record returns the instance's registry entry as long as the instance belongs to this process. Its
// errors are those of owned.
func (i *Instance) record(ctx context.Context) (registry.Instance, error) {
	release, err := i.claims(ctx)
	if err != nil {
		return registry.Instance{}, err
	}
	defer release()
	r, err := i.pool.opts.Registry.Instance(ctx, i.name)
	if err != nil {
		return r, fmt.Errorf("read the lease: %w", err)
	}
	if r.Epoch <= i.epoch.Load() {
		return r, nil
	}
	i.lose()
	return r, registry.ErrLeaseLost
}

// mayDial is called before every dial. A process that returns after being cut off must not displace
// the process that has claimed the instance meanwhile, and data left by another account must not be
// used for this one.
func (i *Instance) mayDial(cli *whatsmeow.Client) error {
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
	defer cancel()
	r, err := i.record(ctx)
	if err != nil {
		return err
	}
	return i.own(ctx, r, cli.Store)
}

// leased is like owned for an instance that this process holds under a lease. Without a lease it
// skips the registry query, which would cost one query per message.
func (i *Instance) leased(ctx context.Context) error {
	if i.isLost() {
		return registry.ErrLeaseLost
	}
	if i.epoch.Load() == 0 {
		return nil
	}
	return i.owned(ctx)
}

// isLost reports whether another process owns the instance, as far as this one knows.
func (i *Instance) isLost() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.lost
}

// reload takes over the current state of the registry and the session store.
func (i *Instance) reload(ctx context.Context) error {
	r, err := i.pool.opts.Registry.Instance(ctx, i.name)
	if err != nil {
		return fmt.Errorf("read the instance: %w", err)
	}
	if err := i.load(ctx, r); err != nil {
		return err
	}
	i.mu.Lock()
	i.online, i.lost = r.Wanted == registry.Connected, false
	i.mu.Unlock()
	now := i.recall(r)
	i.set(now.State, now.Trouble)
	i.stir()
	return nil
}

// load makes the client for the device named in the registry, or none if the instance is not
// paired.
func (i *Instance) load(ctx context.Context, r registry.Instance) error {
	i.cli.Store(nil)
	if r.JID == "" {
		return nil
	}
	jid, err := types.ParseJID(r.JID)
	if err != nil {
		return fmt.Errorf("stored device id: %w", err)
	}
	device, err := i.pool.opts.Devices.Device(ctx, jid)
	if errors.Is(err, sqldb.ErrNotFound) { // the session was deleted before our record of it
		return nil
	}
	if err != nil {
		return fmt.Errorf("load the session: %w", err)
	}
	i.account.Store(&Account{JID: device.GetJID().ToNonAD(), LID: device.GetLID().ToNonAD(), PushName: device.PushName})
	i.cli.Store(i.newClient(device))
	return nil
}

func leaseLost() *Trouble {
	return &Trouble{Code: CodeLeaseLost, At: time.Now(),
		Message: "a newer lease owns the instance; ask the process that holds it, or connect the instance here with a newer epoch"}
}

func unclaimed() *Trouble {
	return &Trouble{Code: CodeUnclaimed, At: time.Now(),
		Message: "the instance is leased, and nobody has claimed it for this process; connect it with the lease's epoch"}
}
