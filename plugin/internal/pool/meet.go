package pool

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
)

// For the first message to a person, WhatsApp must be asked for their devices and then for the keys
// of those devices. whatsmeow does this in the instance's turn, where each query holds up every
// other send. So a send meets its recipient beforehand: waiting sends share their queries, and the
// sessions started from WhatsApp's answer, at four key agreements each, are held until those sends
// get their turn.
const (
	meetAtOnce = 64              // people in one query
	metPeople  = 4096            // people not queried again while the connection lasts
	heldBegun  = 1024            // sessions held for devices that no message has gone to yet
	holdBegun  = 2 * time.Minute // after which the keys are requested again
)

// acquaintances holds the people an instance has met on its current connection.
type acquaintances struct {
	met *lru.Cache[types.JID, uint64] // the connection they were met on

	mu    sync.Mutex
	begun map[string]begunSession // by Signal address
}

// begunSession is a session that waits for its first message. It is stored with that message's
// ratchets.
type begunSession struct {
	record   []byte
	identity [32]byte // the device's identity key
	until    time.Time
}

func newAcquaintances() *acquaintances {
	met, err := lru.New[types.JID, uint64](metPeople)
	if err != nil {
		panic(err) // metPeople is not positive
	}
	return &acquaintances{met: met, begun: map[string]begunSession{}}
}

// begin starts the sessions and holds each until a message needs it. A session that could not be
// started, or for which there is no room, is not held; its message requests the keys again.
func (a *acquaintances) begin(ctx context.Context, cli *whatsmeow.Client, bundles map[types.JID]*prekey.Bundle) {
	fresh := make(map[string]begunSession, len(bundles))
	for device, bundle := range bundles {
		if one, err := beginAhead(ctx, cli, device, bundle); err == nil {
			fresh[device.SignalAddress().String()] = one
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(a.begun, func(_ string, s begunSession) bool { return now.After(s.until) })
	for address, one := range fresh {
		if len(a.begun) < heldBegun {
			one.until = now.Add(holdBegun)
			a.begun[address] = one
		}
	}
}

// take removes and returns the held sessions for those addresses, because each session has only one
// first message.
func (a *acquaintances) take(addresses []string) map[string]begunSession {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := map[string]begunSession{}
	for _, address := range addresses {
		if one, ok := a.begun[address]; ok {
			delete(a.begun, address)
			if time.Now().Before(one.until) {
				found[address] = one
			}
		}
	}
	return found
}

// Meet asks WhatsApp, before the instance's turn, for what a first message to a person needs. If
// that fails, the message itself asks again and reports why.
func (i *Instance) Meet(ctx context.Context, to types.JID) {
	if to.Server != types.DefaultUserServer && to.Server != types.HiddenUserServer {
		return
	}
	if on, ok := i.acquainted.met.Get(to); ok && on == i.dials.Load() {
		return
	}
	_, _ = i.meeting.Do(ctx, to)
}

// meet sends one query about several people.
func (i *Instance) meet(ctx context.Context, people []types.JID) (struct{}, error) {
	cli, err := i.Client()
	if err != nil {
		return struct{}{}, err
	}
	on, all := i.dials.Load(), slices.Clone(people)
	for _, self := range []types.JID{cli.Store.GetJID(), cli.Store.GetLID()} { // our other devices get a copy
		if slices.ContainsFunc(people, func(p types.JID) bool { return p.Server == self.Server }) {
			all = append(all, self.ToNonAD())
		}
	}
	devices, err := cli.GetUserDevices(ctx, all)
	if err != nil {
		return struct{}{}, err
	}
	lacking, err := lackingSessions(ctx, cli, devices)
	if err != nil {
		return struct{}{}, err
	}
	if len(lacking) > 0 {
		// A message to a device without a bundle requests its keys again and reports the error.
		bundles, _ := fetchKeys(ctx, cli, lacking)
		i.acquainted.begin(ctx, cli, bundles)
	}
	for _, one := range people {
		i.acquainted.met.Add(one, on)
	}
	return struct{}{}, nil
}

// OnWhatsApp asks WhatsApp which numbers, written as a plus and digits, have an account. The answer
// may include numbers of other callers.
func (i *Instance) OnWhatsApp(ctx context.Context, numbers []string) ([]types.IsOnWhatsAppResponse, error) {
	return i.numbers.Do(ctx, numbers...)
}

func (i *Instance) onWhatsApp(ctx context.Context, numbers []string) ([]types.IsOnWhatsAppResponse, error) {
	cli, err := i.Client()
	if err != nil {
		return nil, err
	}
	return cli.IsOnWhatsApp(ctx, numbers)
}

// lackingSessions returns the devices without a session, under the address that whatsmeow encrypts
// for.
func lackingSessions(ctx context.Context, cli *whatsmeow.Client, devices []types.JID) ([]types.JID, error) {
	var numbered []types.JID
	for _, device := range devices {
		if device.Server == types.DefaultUserServer {
			numbered = append(numbered, device)
		}
	}
	lids, err := cli.Store.LIDs.GetManyLIDsForPNs(ctx, numbered)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, device := range devices {
		if device == cli.Store.GetJID() || device == cli.Store.GetLID() {
			continue
		}
		if lid := lids[device]; !lid.IsEmpty() {
			device = lid
		}
		addresses = append(addresses, device.SignalAddress().String())
	}
	known, err := cli.Store.Sessions.GetManySessions(ctx, addresses)
	if err != nil {
		return nil, err
	}
	var lacking []types.JID
	for _, address := range addresses {
		if known[address] == nil {
			lacking = append(lacking, deviceAt(address))
		}
	}
	return lacking, nil
}
