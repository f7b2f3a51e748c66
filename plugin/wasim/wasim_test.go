package wasim_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
	_ "modernc.org/sqlite"

	"github.com/tapnode/tapnode/internal/leaktest"
	"github.com/tapnode/tapnode/plugin/wasim"
)

const patience = 30 * time.Second

func TestMain(m *testing.M) {
	// For TestCrowd; set before any client reads them, which they do without a lock.
	whatsmeow.KeepAliveIntervalMin, whatsmeow.KeepAliveIntervalMax = 2*time.Second, 3*time.Second
	leaktest.Main(m, nil)
}

func start(t *testing.T, opts wasim.Options) *wasim.Server {
	t.Helper()
	s, err := wasim.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Trust()
	return s
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// business is an unmodified whatsmeow client on an SQLite store, as the node runs it.
type business struct {
	t       *testing.T
	cli     *whatsmeow.Client
	account *wasim.Account
	store   *sqlstore.Container

	mu     sync.Mutex
	events []any
	signal chan struct{}
	refuse func(any) bool // true: the handler reports failure
}

func open(t *testing.T, s *wasim.Server, phone string, options ...wasim.Option) *business {
	t.Helper()
	account, err := s.NewAccount(phone, options...)
	if err != nil {
		t.Fatal(err)
	}
	return attach(t, s, account)
}

// attach makes a client that is not linked yet, to an account that there is.
func attach(t *testing.T, s *wasim.Server, account *wasim.Account) *business {
	t.Helper()
	b := stored(t, account)
	b.use(s, whatsmeow.NewClient(b.store.NewDevice(), nil))
	return b
}

// stored is an account's client to be: its database.
func stored(t *testing.T, account *wasim.Account) *business {
	t.Helper()
	ctx := within(t)
	dsn := "file:" + t.TempDir() + "/wa.db?_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=synchronous(OFF)&_txlock=immediate"
	container, err := sqlstore.New(ctx, "sqlite", dsn, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &business{t: t, account: account, store: container, signal: make(chan struct{})}
	t.Cleanup(func() {
		if err := container.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// remaining deletes a device from the database and leaves the struct to the client's goroutines, which read it without a lock
// while whatsmeow empties it: it does not when the deletion fails.
type remaining struct{ store.DeviceContainer }

func (r remaining) PutDevice(ctx context.Context, d *store.Device) error {
	defer func() { d.Container = r }() // the first time, the inner one puts itself there
	return r.DeviceContainer.PutDevice(ctx, d)
}

func (r remaining) DeleteDevice(ctx context.Context, d *store.Device) error {
	return errors.Join(errDeleted, r.DeviceContainer.DeleteDevice(ctx, d))
}

var errDeleted = errors.New("the device is deleted")

func (b *business) use(s *wasim.Server, cli *whatsmeow.Client) {
	cli.Store.Container = remaining{cli.Store.Container}
	ctx, cancel := context.WithCancel(context.Background())
	b.t.Cleanup(func() {
		cli.Disconnect() // before cancel, as in Phone.stop
		cancel()
	})
	cli.BackgroundEventCtx = ctx
	cli.EnableDecryptedEventBuffer, cli.SynchronousAck = true, true
	s.Attach(cli)
	cli.AddEventHandlerWithSuccessStatus(func(ev any) bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.events = append(b.events, ev)
		close(b.signal)
		b.signal = make(chan struct{})
		return b.refuse == nil || !b.refuse(ev)
	})
	b.cli = cli
}

// await returns the first event from a position on that fits, and the position behind it.
func await[E any](t *testing.T, b *business, from int, fits func(E) bool) (E, int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		b.mu.Lock()
		events, signal := b.events, b.signal
		b.mu.Unlock()
		for i := from; i < len(events); i++ {
			if ev, ok := events[i].(E); ok && (fits == nil || fits(ev)) {
				return ev, i + 1
			}
		}
		select {
		case <-signal:
		case <-deadline:
			var zero E
			t.Fatalf("no %T after %v", zero, patience)
		}
	}
}

func (b *business) position() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.events)
}

// pair links the client by QR code and waits until it is logged in and has read the account's settings. Until then a
// client must not be unlinked: whatsmeow empties its device while its own goroutine still reads settings into it.
func (b *business) pair() {
	b.t.Helper()
	ctx := within(b.t)
	if err := b.cli.Connect(); err != nil {
		b.t.Fatal(err)
	}
	qr, at := await[*events.QR](b.t, b, 0, nil)
	if err := b.account.Scan(ctx, qr.Codes[0]); err != nil {
		b.t.Fatal(err)
	}
	await[*events.PairSuccess](b.t, b, at, nil)
	await[*events.Connected](b.t, b, at, nil)
	last := appstate.AllPatchNames[len(appstate.AllPatchNames)-1]
	await(b.t, b, at, func(e *events.AppStateSyncComplete) bool { return e.Name == last })
}

// connect connects a client that has been linked, and waits for its login.
func (b *business) connect() {
	b.t.Helper()
	at := b.position()
	if err := b.cli.Connect(); err != nil {
		b.t.Fatal(err)
	}
	await(b.t, b, at, func(*events.Connected) bool { return true })
}

func (b *business) device() *wasim.Device { return b.account.Linked()[0] }

func customer(t *testing.T, s *wasim.Server, phone string, options ...wasim.Option) *wasim.Phone {
	t.Helper()
	p, err := s.NewPhone(within(t), phone, options...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (b *business) text(to types.JID, body string) types.MessageID {
	b.t.Helper()
	resp, err := b.cli.SendMessage(within(b.t), to, &waE2E.Message{Conversation: proto.String(body)})
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.ID
}

// menu is the message of the product: native flow buttons and exactly one <biz>.
func menu(labels ...string) (*waE2E.Message, []waBinary.Node) {
	var buttons []*waE2E.InteractiveMessage_NativeFlowMessage_NativeFlowButton
	for _, l := range labels {
		buttons = append(buttons, &waE2E.InteractiveMessage_NativeFlowMessage_NativeFlowButton{
			Name:             proto.String("quick_reply"),
			ButtonParamsJSON: proto.String(`{"display_text":"` + l + `","id":"id-` + strings.ToLower(l) + `"}`),
		})
	}
	msg := &waE2E.Message{InteractiveMessage: &waE2E.InteractiveMessage{
		Body:   &waE2E.InteractiveMessage_Body{Text: proto.String("Choose")},
		Footer: &waE2E.InteractiveMessage_Footer{Text: proto.String("foot")},
		Header: &waE2E.InteractiveMessage_Header{Title: proto.String("head")},
		InteractiveMessage: &waE2E.InteractiveMessage_NativeFlowMessage_{
			NativeFlowMessage: &waE2E.InteractiveMessage_NativeFlowMessage{Buttons: buttons, MessageVersion: proto.Int32(1)},
		},
	}}
	biz := waBinary.Node{Tag: "biz", Content: []waBinary.Node{{
		Tag: "interactive", Attrs: waBinary.Attrs{"type": "native_flow", "v": "1"},
		Content: []waBinary.Node{{Tag: "native_flow", Attrs: waBinary.Attrs{"v": "9", "name": "mixed"}}},
	}}}
	return msg, []waBinary.Node{biz}
}

func (b *business) menu(to types.JID, labels ...string) types.MessageID {
	b.t.Helper()
	msg, biz := menu(labels...)
	resp, err := b.cli.SendMessage(within(b.t), to, msg, whatsmeow.SendRequestExtra{AdditionalNodes: &biz})
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.ID
}

func noUnhandled(t *testing.T, s *wasim.Server) {
	t.Helper()
	if u := s.Unhandled(); len(u) > 0 {
		t.Errorf("unhandled stanzas: %v", u)
	}
}

func TestMenuAndClick(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000", wasim.PushName("Shop"))
	b.pair()
	p := customer(t, s, "+55 11 98888-0001")
	ctx := within(t)

	id := b.menu(p.JID(), "Yes", "No")
	m, err := p.WaitID(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if m.Text != "Choose" || m.Header != "head" || m.Footer != "foot" || m.Biz != 1 || m.Copies != 1 {
		t.Errorf("message on the phone: %+v", m)
	}
	if len(m.Buttons) != 2 || m.Buttons[1].DisplayText != "No" || m.Buttons[1].Type != wasim.ButtonReply {
		t.Errorf("buttons: %+v", m.Buttons)
	}
	click, err := p.Click(ctx, m, "id-no", wasim.ShapeInteractive)
	if err != nil {
		t.Fatal(err)
	}
	ev, _ := await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == click })
	if got := ev.Message.GetInteractiveResponseMessage().GetContextInfo().GetStanzaID(); got != id {
		t.Errorf("click quotes %q, want %q", got, id)
	}
	if ev.Info.Sender.ToNonAD() != p.LID() || ev.Info.SenderAlt.ToNonAD() != p.JID() {
		t.Errorf("click from %v, alternatively %v", ev.Info.Sender, ev.Info.SenderAlt)
	}
	if b.cli.Store.PushName != "Shop" {
		t.Errorf("push name is %q", b.cli.Store.PushName)
	}
	noUnhandled(t, s)
}

func TestStartRefusesOtherHosts(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "nonsense"} {
		if s, err := wasim.Start(wasim.Options{Listen: addr}); err == nil {
			t.Errorf("listening on %q was allowed", addr)
			_ = s.Close()
		}
	}
}

func TestAccountNumbers(t *testing.T) {
	s := start(t, wasim.Options{})
	for _, bad := range []string{"", "12", "0123456", "12ab567", "1234567890123456"} {
		if _, err := s.NewAccount(bad); !errors.Is(err, wasim.ErrPhone) {
			t.Errorf("number %q: %v", bad, err)
		}
	}
	if _, err := s.NewAccount("+55 (11) 99999-0000", wasim.Aliases("551199990000")); err != nil {
		t.Fatal(err)
	}
	for _, taken := range []string{"5511999990000", "551199990000"} {
		if _, err := s.NewAccount(taken); !errors.Is(err, wasim.ErrAccountTaken) {
			t.Errorf("number %s again: %v", taken, err)
		}
	}
}
