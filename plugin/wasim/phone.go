package wasim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

// phoneKeys is how many one-time keys a phone starts with; it uploads more when they run low.
const phoneKeys = 20

// Phone is a customer's phone: a whatsmeow client, device 0 of its own account, and the messages the person sees.
type Phone struct {
	s       *Server
	account *Account
	cli     *whatsmeow.Client
	ctx     context.Context // of the client's background work
	cancel  context.CancelFunc
	once    sync.Once

	mu      sync.Mutex
	inbox   []*Message // oldest first
	own     []*Message // messages sent from this phone, oldest first
	changes int        // number of changes to what the person sees
	seen    map[messageKey]*Message
	typing  map[types.JID]bool
	timers  map[types.JID]timer // of chats whose messages disappear
	expiry  *time.Timer         // runs expire at next
	next    time.Time
	away    bool          // taken offline by Disconnect
	waiting []outgoing    // to be sent after Connect
	secret  bool          // read receipts are off
	signal  chan struct{} // closed and replaced at every change
}

// messageKey identifies a message: copies with the same key are one message to a person.
type messageKey struct {
	chat, sender types.JID
	id           types.MessageID
}

// NewPhone makes a customer and connects it. The process must already trust the server (Trust).
func (s *Server) NewPhone(ctx context.Context, phone string, options ...Option) (*Phone, error) {
	a, err := s.newAccount(phone, options)
	if err != nil {
		return nil, err
	}
	d := &Device{s: s, account: a, jid: a.jid, lid: a.lid, static: *a.keys.NoiseKey.Pub, keys: keyringOf(a.keys)}
	if err := d.firstKeys(ctx); err != nil {
		return nil, err
	}
	a.addDevice(d)
	a.keys.PushName = a.pushName
	if err := a.keys.LIDs.PutLIDMapping(ctx, a.lid, a.jid); err != nil {
		return nil, err
	}
	if err := s.register(a); err != nil {
		return nil, err
	}
	p := &Phone{s: s, account: a, seen: make(map[messageKey]*Message), typing: make(map[types.JID]bool),
		timers: make(map[types.JID]timer), signal: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(s.ctx)
	p.cli = whatsmeow.NewClient(a.keys, nil)
	p.cli.BackgroundEventCtx = p.ctx
	p.cli.InitialAutoReconnect = true
	p.cli.EnableDecryptedEventBuffer = true // brackets decryptions, see memory.ratchets
	s.Attach(p.cli)
	p.cli.AddEventHandler(p.handle)
	if !s.adopt(p) {
		p.cancel()
		return nil, ErrClosed
	}
	if err := p.cli.Connect(); err != nil {
		p.Close()
		return nil, fmt.Errorf("connect phone: %w", err)
	}
	if err := d.WaitActive(ctx); err != nil {
		p.Close()
		return nil, fmt.Errorf("connect phone: %w", err)
	}
	return p, nil
}

func (s *Server) adopt(p *Phone) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.phones[p] = struct{}{}
	s.stir()
	return true
}

// firstKeys stores the first one-time keys on the server without a query, because a client would make 812 on its first
// login.
func (d *Device) firstKeys(ctx context.Context) error {
	store := d.account.keys.PreKeys
	keys, err := store.GetOrGenPreKeys(ctx, phoneKeys)
	if err != nil {
		return err
	}
	for _, k := range keys {
		d.keys.oneTime = append(d.keys.oneTime, keyNode("key", k))
	}
	return store.MarkPreKeysAsUploaded(ctx, keys[len(keys)-1].KeyID)
}

// JID is the phone's address by number.
func (p *Phone) JID() types.JID { return p.account.jid }

// LID is the phone's hidden identity.
func (p *Phone) LID() types.JID { return p.account.lid }

// Account is the phone's account.
func (p *Phone) Account() *Account { return p.account }

// Device is the phone as the server sees it, for faults on its connection.
func (p *Phone) Device() *Device { return p.account.device(0) }

// Client is the whatsmeow client itself, for operations that Phone has no method for.
func (p *Phone) Client() *whatsmeow.Client { return p.cli }

// Close disconnects the phone. Its account stays, and messages for it are queued.
func (p *Phone) Close() {
	p.s.mu.Lock()
	delete(p.s.phones, p)
	p.s.mu.Unlock()
	p.stop()
}

func (p *Phone) stop() {
	p.once.Do(func() {
		p.cli.Disconnect() // before cancel: whatsmeow's reader and its Disconnect race over a socket that ends by context
		p.cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.expiry != nil {
			p.expiry.Stop()
		}
	})
}

// Disconnect takes the phone offline until Connect. Meanwhile, messages the person sends wait in the phone and messages
// to the person wait at the server. Disconnect waits until the server has noticed, for 30 s at most, so that
// no message is sent to the dead connection.
func (p *Phone) Disconnect() {
	p.nowAway(true)
	p.cli.Disconnect()
	ctx, cancel := context.WithTimeout(p.s.ctx, writeTimeout)
	defer cancel()
	_ = p.account.wait(ctx, func() bool { return !p.Device().Online() }) // a server that closes has also lost the device
}

// Connect brings the phone back, waits until it receives messages, and sends the messages that have waited.
func (p *Phone) Connect(ctx context.Context) error {
	if err := p.cli.Connect(); err != nil && !errors.Is(err, whatsmeow.ErrAlreadyConnected) {
		return fmt.Errorf("connect phone: %w", err)
	}
	if err := p.Device().WaitActive(ctx); err != nil {
		return err
	}
	p.nowAway(false)
	return p.catchUp(ctx)
}

func (p *Phone) nowAway(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
	p.changes++
	p.changed()
}

// SendText sends a plain text and returns the message's id once the server has acknowledged it.
func (p *Phone) SendText(ctx context.Context, to types.JID, body string) (types.MessageID, error) {
	return p.Send(ctx, to, &waE2E.Message{Conversation: proto.String(body)})
}

// Send sends any message and returns its id once the server has acknowledged it.
func (p *Phone) Send(ctx context.Context, to types.JID, msg *waE2E.Message, extra ...waBinary.Node) (types.MessageID, error) {
	var req whatsmeow.SendRequestExtra
	if len(extra) > 0 {
		req.AdditionalNodes = &extra
	}
	return p.send(ctx, to, msg, req)
}

// Read shows the sender that the person has read the message, unless ReadReceipts is off.
func (p *Phone) Read(ctx context.Context, m Message) error {
	return p.read(ctx, m.Chat, m.From, []types.MessageID{m.ID})
}

// ReadReceipts says whether senders learn that the person has read their messages. By default they do.
func (p *Phone) ReadReceipts(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.secret = !on
	p.changes++
	p.changed()
}

func (p *Phone) read(ctx context.Context, chat, from types.JID, ids []types.MessageID) error {
	p.mu.Lock()
	kind := types.ReceiptTypeRead
	if p.secret {
		kind = types.ReceiptTypeReadSelf
	}
	for _, id := range ids {
		if m := p.seen[messageKey{chat, from, id}]; m != nil && !m.read {
			p.changes++
			m.read, m.change = true, p.changes
		}
	}
	p.changed()
	p.mu.Unlock()
	return p.cli.MarkRead(ctx, ids, time.Now(), chat, from, kind)
}

// ReadChat reads every unread message in a chat.
func (p *Phone) ReadChat(ctx context.Context, chat types.JID) error {
	unread := map[types.JID][]types.MessageID{}
	p.mu.Lock()
	for _, m := range p.inbox {
		if m.Chat == chat && !m.read && !m.FromMe {
			unread[m.From] = append(unread[m.From], m.ID)
		}
	}
	p.mu.Unlock()
	var failed []error
	for from, ids := range unread {
		failed = append(failed, p.read(ctx, chat, from, ids))
	}
	return errors.Join(failed...)
}

// Type shows the chat that the person is typing, or has stopped.
func (p *Phone) Type(ctx context.Context, chat types.JID, typing bool) error {
	state := types.ChatPresencePaused
	if typing {
		state = types.ChatPresenceComposing
	}
	return p.cli.SendChatPresence(ctx, chat, state, types.ChatPresenceMediaText)
}

// Typing reports whether the other side of the chat is typing.
func (p *Phone) Typing(chat types.JID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.typing[chat.ToNonAD()]
}

func (p *Phone) handle(raw any) {
	switch ev := raw.(type) {
	case *events.Message:
		p.receive(ev)
	case *events.Receipt:
		p.ticked(ev)
	case *events.ChatPresence:
		p.mu.Lock()
		p.typing[ev.Chat] = ev.State == types.ChatPresenceComposing
		p.changes++
		p.changed()
		p.mu.Unlock()
	}
}

// changed wakes every caller that waits for a change. The caller holds p.mu.
func (p *Phone) changed() {
	close(p.signal)
	p.signal = make(chan struct{})
	p.s.stir()
}

// await waits until done, called with p.mu held, returns true.
func (p *Phone) await(ctx context.Context, done func() bool) error {
	for {
		p.mu.Lock()
		ok, signal := done(), p.signal
		p.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-signal:
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ctx.Done():
			return ErrClosed
		}
	}
}

// WaitTyping waits until the other side of the chat is typing (true) or is not (false).
func (p *Phone) WaitTyping(ctx context.Context, chat types.JID, typing bool) error {
	return p.await(ctx, func() bool { return p.typing[chat.ToNonAD()] == typing })
}
