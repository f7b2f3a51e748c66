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

// The first message to somebody asks WhatsApp for their devices, and then for the keys of those.
// Asked in the instance's turn, as whatsmeow does, each question holds up all who wait for the turn.
// So a send meets its recipient before: those who wait ask together, and the sessions that
// begin with WhatsApp's answer, four key agreements each, wait for their turns.
const (
	meetAtOnce = 64              // people in one question
	metPeople  = 4096            // who are not asked about again, while the connection lasts
	heldBegun  = 1024            // sessions with devices that no message has gone to yet
	holdBegun  = 2 * time.Minute // then keys are asked for anew
)

// acquaintances is whom an instance has met on its present connection.
type acquaintances struct {
	met *lru.Cache[types.JID, uint64] // the connection

	mu    sync.Mutex
	begun map[string]begunSession // by Signal address
}

// begunSession waits for the first message of a session. It is stored with that one's ratchets.
type begunSession struct {
	record   []byte
	identity [32]byte // the device's
	until    time.Time
}

func newAcquaintances() *acquaintances {
	met, err := lru.New[types.JID, uint64](metPeople)
	if err != nil {
		panic(err) // metPeople is not positive
	}
	return &acquaintances{met: met, begun: map[string]begunSession{}}
}

// begin begins the sessions and keeps each until a message needs it. One that could not begin, or has
// no room, is not kept, and its message asks for keys again.
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

// take gives the sessions that have begun with those addresses: each has one first message.
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

// Meet asks WhatsApp, before the instance's turn, for what a first message to a person needs. What it
// could not learn the message asks for itself, and says why it cannot be had.
func (i *Instance) Meet(ctx context.Context, to types.JID) {
	if to.Server != types.DefaultUserServer && to.Server != types.HiddenUserServer {
		return
	}
	if on, ok := i.acquainted.met.Get(to); ok && on == i.dials.Load() {
		return
	}
	_, _ = i.meeting.Do(ctx, to)
}

// meet is one question about people.
func (i *Instance) meet(ctx context.Context, people []types.JID) (struct{}, error) {
	cli, err := i.Client()
	if err != nil {
		return struct{}{}, err
	}
	on, all := i.dials.Load(), slices.Clone(people)
	for _, self := range []types.JID{cli.Store.GetJID(), cli.Store.GetLID()} { // whose other devices get a copy
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
		// Those that WhatsApp does not give their message asks for again, and says why.
		bundles, _ := fetchKeys(ctx, cli, lacking)
		i.acquainted.begin(ctx, cli, bundles)
	}
	for _, one := range people {
		i.acquainted.met.Add(one, on)
	}
	return struct{}{}, nil
}

// OnWhatsApp asks WhatsApp which numbers, with a plus before their digits, have an account. The answer
// may be about others', too.
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

// lackingSessions are the devices, under the address that whatsmeow encrypts for, that there is no
// session with.
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
