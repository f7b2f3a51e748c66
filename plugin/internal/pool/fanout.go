package pool

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
)

// fanout tracks one message through whatsmeow's encryption: which devices it is for, and for which
// it was encrypted. It implements session.Fanout.
type fanout struct {
	cli  *whatsmeow.Client
	held *acquaintances
	self bool // the recipient is our own account: its other devices count as the recipient's
	all  bool // a group may have no other member

	refused error
	asked   []string // Signal addresses; nil: nothing was encrypted
	reached map[string]bool
}

func (i *Instance) newFanout(cli *whatsmeow.Client, to types.JID) *fanout {
	return &fanout{cli: cli, held: i.acquainted, self: own(cli, to.User), all: to.Server == types.GroupServer, reached: map[string]bool{}}
}

// Sessions refuses a message that no device of the recipient could read. If none of those devices
// has a session, as with a new recipient, Sessions itself asks for their keys, because whatsmeow
// would swallow WhatsApp's answer.
func (f *fanout) Sessions(ctx context.Context, known map[string][]byte) error {
	theirs, lacking := false, make([]string, 0)
	for address, ratchet := range known {
		f.asked = append(f.asked, address)
		theirs = theirs || f.theirs(address)
		if ratchet == nil {
			lacking = append(lacking, address)
		}
	}
	for address, one := range f.held.take(lacking) {
		// If this fails, the keys are requested below or by whatsmeow.
		if err := f.cli.Store.Identities.PutIdentity(ctx, address, one.identity); err == nil {
			known[address] = one.record
		}
	}
	if f.readable(known) || f.all && !theirs {
		return nil
	}
	cause := errors.New("it names none")
	if theirs {
		cause = f.ask(ctx, known, lacking)
	}
	if f.readable(known) {
		return nil
	}
	f.refused = fmt.Errorf("%w: %w", ErrNoDevice, cause)
	return f.refused
}

// ask begins sessions with the devices at the lacking addresses. The error says why some are still
// missing.
func (f *fanout) ask(ctx context.Context, known map[string][]byte, lacking []string) error {
	devices := make([]types.JID, len(lacking))
	for i, address := range lacking {
		devices[i] = deviceAt(address)
	}
	bundles, err := fetchKeys(ctx, f.cli, devices)
	return errors.Join(err, beginSessions(ctx, f.cli, known, bundles))
}

// Encrypted records which devices got their copy.
func (f *fanout) Encrypted(ratchets map[string][]byte) {
	for address := range ratchets {
		f.reached[address] = true
	}
}

// readable reports whether any device of the recipient has a session.
func (f *fanout) readable(known map[string][]byte) bool {
	for address, ratchet := range known {
		if ratchet != nil && f.theirs(address) {
			return true
		}
	}
	return false
}

func (f *fanout) theirs(address string) bool { return f.self || !own(f.cli, deviceAt(address).User) }

// missed returns the devices that the message was not encrypted for, how many of them are the
// recipient's, and how many devices the recipient has in all.
func (f *fanout) missed() (devices []types.JID, theirs, of int) {
	for _, address := range f.asked {
		recipient := f.theirs(address)
		if recipient {
			of++
		}
		if f.reached[address] {
			continue
		}
		devices = append(devices, deviceAt(address))
		if recipient {
			theirs++
		}
	}
	return devices, theirs, of
}

func own(cli *whatsmeow.Client, user string) bool {
	return user == cli.Store.GetJID().User || user == cli.Store.GetLID().User
}

// deviceAt returns the device of a Signal address, the inverse of types.JID.SignalAddress.
func deviceAt(address string) types.JID {
	user, device, _ := strings.Cut(address, ":")
	user, domain, _ := strings.Cut(user, "_")
	kind, _ := strconv.ParseUint(domain, 10, 8)
	number, _ := strconv.ParseUint(device, 10, 16)
	jid := types.NewADJID(user, uint8(kind), 0)
	jid.Device = uint16(number)
	return jid
}
