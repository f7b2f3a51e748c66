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

// A lease says which of the processes on one database an instance belongs to. Its
// epoch counts up at every handover, and the highest one in the registry owns the
// instance: a call with that epoch claims it for the process that takes the call. An
// instance that was ever leased stays offline in a process that has not claimed it, and
// with Options.Leased every one does.
const (
	CodeLeaseLost = "lease_lost"      // a newer epoch has claimed the instance elsewhere
	CodeUnclaimed = "lease_unclaimed" // leased, and not claimed since this process started
)

// ErrUnclaimed is a registry.ErrLeaseLost: a call without a lease came before any claim.
var ErrUnclaimed = fmt.Errorf("the process has not claimed the instance: %w", registry.ErrLeaseLost)

// Under is the instance, for a call under a lease; see Instance.Lease.
func (p *Pool) Under(ctx context.Context, name string, epoch uint64) (*Instance, error) {
	i, err := p.Find(ctx, name)
	if err == nil {
		err = i.Lease(ctx, epoch)
	}
	return i, err
}

// Claim claims an instance. It comes online if that is wanted, which Claim does not wait
// for, and is not paired. news: the epoch is another one than before. An instance that is
// gone, sqldb.ErrNotFound, was deleted by another process.
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

// Lease checks the lease that a caller holds on the instance, and claims the instance
// when its epoch is newer than the one this process knows. A claim makes the process
// load the session anew: another one may have used it. 0 is a caller without a lease.
// registry.ErrLeaseLost: the instance belongs to somebody else.
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
		err = errors.Join(err, i.owned(ctx)) // is it the caller's epoch that is old, or ours?
	}
	return err
}

// claim makes epoch the owner of the instance, and this process the one that acts for it.
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
	if before > mine { // another process had it, and this one has not noticed
		i.lose()
	}
	i.epoch.Store(max(epoch, mine))
	i.pool.moved.ring() // what is shown is shown under the epoch
	if i.isLost() {
		return i.reload(ctx)
	}
	return nil
}

// lose lets go of an instance that is another process's.
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

// claims waits for its turn to compare this process's epoch with the registry's.
func (i *Instance) claims(ctx context.Context) (release func(), err error) {
	select {
	case i.claiming <- struct{}{}:
		return func() { <-i.claiming }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Take claims an instance that an earlier process held under a lease, for a host that
// leases nothing. Such a host is alone, and says so by connecting it.
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

// owned asks the registry whether the instance is still this process's, and takes it
// offline when it is not.
func (i *Instance) owned(ctx context.Context) error {
	_, err := i.record(ctx)
	return err
}

// record is what the registry says about the instance while it is this process's. Its
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

// mayDial is asked before every dial. A process that was cut off and comes back must not
// throw out the one that has claimed the instance meanwhile, nor let what another
// account has left act for this one.
func (i *Instance) mayDial(cli *whatsmeow.Client) error {
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
	defer cancel()
	r, err := i.record(ctx)
	if err != nil {
		return err
	}
	return i.own(ctx, r, cli.Store)
}

// leased is owned for an instance that this process holds under a lease; one that
// nobody leases is not worth a question for every message.
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

// reload takes over what the registry and the session store say now.
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

// load makes the client of the device that the registry names; none for an instance
// that is not paired.
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
	if errors.Is(err, sqldb.ErrNotFound) { // the session went before our record of it
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
