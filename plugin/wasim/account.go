package wasim

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/wasim/internal/appstate"
	"github.com/tapnode/tapnode/plugin/wasim/internal/passkey"
)

// Account is one number on the simulated WhatsApp.
type Account struct {
	s        *Server
	phone    string
	jid, lid types.JID
	cfg      accountConfig
	keys     *store.Device // of the phone: device 0, and the signer of every linked device
	foreign  bool          // the phone is an external program (NewForeignPhone)
	made     int           // the account's place in order of creation

	state *appstate.Account
	peer  sync.Mutex // held while the server sends in the phone's name

	list  atomic.Pointer[[]*Device] // replaced, never modified, because every message reads it
	lists lists                     // messages now being sent through broadcast lists

	mu       sync.Mutex
	pushName string
	next     uint16 // index of the next linked device
	failure  *LoginFailure
	online   map[*Device]bool      // devices that have sent presence available
	watchers map[*Device]types.JID // devices subscribed to the presence, and the JID under which they asked
	tokens   map[string][]byte     // privacy tokens this account has given, by the user part of the other's LID
	signal   chan struct{}         // closed and replaced at every change
	settings map[types.PrivacySettingType]string
}

type accountConfig struct {
	pushName    string
	aliases     []string
	hidden      bool
	needsTokens bool
	business    bool
	passkey     *ownerPasskey
}

// Option sets up an account or a phone.
type Option func(*accountConfig)

// PushName sets the name that others see with a message. The default is "Sim" and the last four digits of the number.
func PushName(name string) Option { return func(c *accountConfig) { c.pushName = name } }

// Aliases are further ways to write the number, digits only: the server answers queries for them with the account's
// own number, as WhatsApp does for Brazilian numbers with and without the ninth digit.
func Aliases(phones ...string) Option { return func(c *accountConfig) { c.aliases = phones } }

// HiddenNumber hides the number from others: they receive only the LID.
func HiddenNumber() Option { return func(c *accountConfig) { c.hidden = true } }

// RequireToken refuses (463) messages from accounts that do not hold this account's privacy token, which the account
// gives them with its own first message.
func RequireToken() Option { return func(c *accountConfig) { c.needsTokens = true } }

// Business makes the account appear as a WhatsApp Business account to a client that pairs with it.
func Business() Option { return func(c *accountConfig) { c.business = true } }

// Errors of accounts.
var (
	ErrPhone        = errors.New("a number is 5 to 15 digits, country code first, without a leading zero")
	ErrAccountTaken = errors.New("the number has an account already")
	ErrTooMany      = errors.New("limit reached")
)

// NewAccount makes an account whose phone the server plays. The number may be written with + and separators.
func (s *Server) NewAccount(phone string, options ...Option) (*Account, error) {
	a, err := s.newAccount(phone, options)
	if err != nil {
		return nil, err
	}
	a.addDevice(&Device{s: s, account: a, jid: a.jid, lid: a.lid, played: true, keys: keyringOf(a.keys)})
	return a, s.register(a)
}

func (s *Server) newAccount(phone string, options []Option) (*Account, error) {
	number, err := digits(phone)
	if err != nil {
		return nil, err
	}
	cfg := accountConfig{pushName: "Sim " + number[len(number)-4:]}
	for _, o := range options {
		o(&cfg)
	}
	for i, alias := range cfg.aliases {
		if cfg.aliases[i], err = digits(alias); err != nil {
			return nil, fmt.Errorf("alias: %w", err)
		}
	}
	a := &Account{
		s: s, phone: number, cfg: cfg, pushName: cfg.pushName, next: 1,
		jid: types.NewJID(number, types.DefaultUserServer), lid: lidOf(number),
		online: make(map[*Device]bool), watchers: make(map[*Device]types.JID), tokens: make(map[string][]byte),
		signal: make(chan struct{}),
	}
	if cfg.passkey != nil {
		if cfg.passkey.key, err = passkey.NewKey(); err != nil {
			return nil, err
		}
	}
	a.list.Store(&[]*Device{})
	a.keys = newKeys(a.jid, a.lid)
	if a.keys.Account, err = a.certify(a.keys.IdentityKey.Pub, 0); err != nil {
		return nil, err
	}
	if a.state, err = appstate.New(s.ctx, a.pushName); err != nil {
		return nil, fmt.Errorf("settings of the account: %w", err)
	}
	return a, nil
}

// register adds the account to the server's tables.
func (s *Server) register(a *Account) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case len(s.lids) >= s.opts.Limits.Accounts:
		return fmt.Errorf("%w: %d accounts", ErrTooMany, s.opts.Limits.Accounts)
	case s.lids[a.lid.User] != nil:
		return ErrAccountTaken
	}
	names := append([]string{a.phone}, a.cfg.aliases...)
	for _, n := range names {
		if s.accounts[n] != nil {
			return ErrAccountTaken
		}
	}
	for _, n := range names {
		s.accounts[n] = a
	}
	s.lids[a.lid.User] = a
	a.made = len(s.lids)
	s.stir()
	return nil
}

// Account returns the account of a number, or nil.
func (s *Server) Account(phone string) *Account {
	number, err := digits(phone)
	if err != nil {
		return nil
	}
	return s.find(types.NewJID(number, types.DefaultUserServer))
}

// find returns the account of a user's JID, or nil.
func (s *Server) find(jid types.JID) *Account {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch jid.Server {
	case types.DefaultUserServer, types.LegacyUserServer:
		return s.accounts[jid.User]
	case types.HiddenUserServer:
		return s.lids[jid.User]
	}
	return nil
}

// digits converts a number to the form used in JIDs.
func digits(phone string) (string, error) {
	n := strings.NewReplacer("+", "", " ", "", "-", "", "(", "", ")", "").Replace(phone)
	if len(n) < 5 || len(n) > 15 || n[0] == '0' || strings.Trim(n, "0123456789") != "" {
		return "", ErrPhone
	}
	return n, nil
}

// lidOf gives every number the same hidden identity in every run: 15 digits that say nothing about it.
func lidOf(number string) types.JID {
	sum := sha256.Sum256([]byte("lid " + number))
	const low = 100_000_000_000_000
	return types.NewJID(strconv.FormatUint(low+binary.BigEndian.Uint64(sum[:])%(9*low), 10), types.HiddenUserServer)
}

// JID is the account's address by number.
func (a *Account) JID() types.JID { return a.jid }

// LID is the account's hidden identity, to which messages have been addressed since 2026.
func (a *Account) LID() types.JID { return a.lid }

// Phone is the account's number, digits only.
func (a *Account) Phone() string { return a.phone }

// Devices returns the account's devices, the phone first.
func (a *Account) Devices() []*Device { return slices.Clone(*a.list.Load()) }

// Linked returns the devices that were linked to the phone, oldest first.
func (a *Account) Linked() []*Device {
	return slices.DeleteFunc(a.Devices(), func(d *Device) bool { return d.jid.Device == 0 })
}

// WaitDevices waits until the given number of devices is linked.
func (a *Account) WaitDevices(ctx context.Context, linked int) error {
	return a.wait(ctx, func() bool { return len(a.Linked()) == linked })
}

// Logout unlinks every device from the phone.
func (a *Account) Logout() {
	for _, d := range a.Linked() {
		d.Logout()
	}
}

// RefuseLogin answers every login of the account's devices with f, until it is called with nil.
func (a *Account) RefuseLogin(f *LoginFailure) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failure = f
}

func (a *Account) device(index uint16) *Device {
	for _, d := range *a.list.Load() {
		if d.jid.Device == index {
			return d
		}
	}
	return nil
}

func (a *Account) addDevice(d *Device) {
	a.mu.Lock()
	list := append(slices.Clone(*a.list.Load()), d)
	a.list.Store(&list)
	a.mu.Unlock()
	a.changed()
}

// remove deletes a device from the account and ends its connection with last, if last is not empty.
func (a *Account) remove(d *Device, last waBinary.Node) {
	if d.jid.Device == 0 {
		return // the phone cannot be removed from its account
	}
	a.mu.Lock()
	list := slices.DeleteFunc(a.Devices(), func(other *Device) bool { return other == d })
	a.list.Store(&list)
	a.mu.Unlock()
	if last.Tag == "" {
		d.close(nil)
	} else {
		d.close(&last)
	}
	a.announceDevices(nil)
	a.changed()
}

// certify signs a device's identity key in the account's name.
func (a *Account) certify(identity *[32]byte, index uint32) (*waAdv.ADVSignedDeviceIdentity, error) {
	return signDevice(a.keys.IdentityKey, identity, index)
}

// changed wakes every caller of wait.
func (a *Account) changed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.signal)
	a.signal = make(chan struct{})
}

func (a *Account) wait(ctx context.Context, done func() bool) error {
	for {
		a.mu.Lock()
		signal := a.signal
		a.mu.Unlock()
		if done() {
			return nil
		}
		select {
		case <-signal:
		case <-ctx.Done():
			return ctx.Err()
		case <-a.s.ctx.Done():
			return ErrClosed
		}
	}
}
