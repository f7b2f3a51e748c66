package wasim_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/wasim"
)

func TestStreamErrors(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	for _, code := range []int{503, 515, 516} {
		at := b.position()
		if !b.device().StreamError(code) {
			t.Fatalf("code %d: not connected", code)
		}
		await(t, b, at, func(*events.Connected) bool { return true })
	}
	at := b.position()
	b.device().Replaced()
	await(t, b, at, func(*events.StreamReplaced) bool { return true })
}

func TestRemoteLogout(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	at := b.position()
	b.account.Logout()
	ev, _ := await(t, b, at, func(*events.LoggedOut) bool { return true })
	if ev.OnConnect || len(b.account.Linked()) != 0 {
		t.Errorf("%+v, %d devices left", ev, len(b.account.Linked()))
	}
}

// A device that was unlinked while it was away learns of it at its next login.
func TestLogoutWhileAway(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	b.cli.Disconnect()
	b.account.Logout()
	at := b.position()
	if err := b.cli.Connect(); err != nil {
		t.Fatal(err)
	}
	ev, _ := await(t, b, at, func(*events.LoggedOut) bool { return true })
	if !ev.OnConnect || ev.Reason != events.ConnectFailureLoggedOut {
		t.Errorf("%+v", ev)
	}
}

func TestClientLogout(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	if err := b.cli.Logout(within(t)); !errors.Is(err, errDeleted) {
		t.Fatal(err)
	}
	if err := b.account.WaitDevices(within(t), 0); err != nil {
		t.Fatal(err)
	}
}

// RefuseLogin lasts until it is lifted.
func TestRefuseLogin(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	at := b.position()
	b.account.RefuseLogin(&wasim.LoginFailure{Reason: 402, Code: 101, Expire: 3600})
	b.device().Drop()
	ev, at := await(t, b, at, func(*events.TemporaryBan) bool { return true })
	if ev.Code != events.TempBanSentToTooManyPeople || ev.Expire != time.Hour {
		t.Errorf("%+v", ev)
	}
	b.account.RefuseLogin(nil)
	b.cli.Disconnect()
	if err := b.cli.Connect(); err != nil {
		t.Fatal(err)
	}
	await(t, b, at, func(*events.Connected) bool { return true })
}

// The server hangs up before it has said anything. A whatsmeow client would take 20 s to notice.
func TestClosedBeforeHandshake(t *testing.T) {
	s := start(t, wasim.Options{})
	addFault(t, s, wasim.FaultMatch{Stage: wasim.StageHandshake}, wasim.Fault{Disconnect: wasim.Before})
	ws, _, err := websocket.Dial(within(t), s.URL()+"/ws/chat", nil) //nolint:bodyclose // the response is the websocket
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ws.CloseNow() }()
	if _, data, err := ws.Read(within(t)); err == nil {
		t.Errorf("the server says %x", data)
	}
	customer(t, s, "5511988880001")
}

func TestPairingErrors(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	ctx := within(t)
	if err := b.account.Scan(ctx, "hello"); !errors.Is(err, wasim.ErrQR) {
		t.Errorf("nonsense: %v", err)
	}
	if err := b.cli.Connect(); err != nil {
		t.Fatal(err)
	}
	qr, _ := await[*events.QR](t, b, 0, nil)
	if len(qr.Codes) != 6 {
		t.Errorf("%d codes", len(qr.Codes))
	}
	b.cli.Disconnect()
	for {
		err := b.account.Scan(ctx, qr.Codes[0])
		if errors.Is(err, wasim.ErrQRExpired) {
			break
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("the code of a client that is gone never expires")
		}
	}
	b.mu.Lock()
	b.events = nil
	b.mu.Unlock()
	b.pair()
}

// A wrong account cannot be told apart by the client, but two accounts see nothing of each other.
func TestTwoAccounts(t *testing.T) {
	s := start(t, wasim.Options{})
	b, c := open(t, s, "5511999990000"), open(t, s, "5511999990001")
	b.pair()
	c.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	one, two := b.text(p.JID(), "from b"), c.text(p.JID(), "from c")
	for id, account := range map[string]*business{one: b, two: c} {
		m, err := p.WaitID(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if m.From != account.account.LID() {
			t.Errorf("message %s comes from %v", id, m.From)
		}
	}
	id, err := p.SendText(ctx, b.account.JID(), "for b")
	if err != nil {
		t.Fatal(err)
	}
	await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == id })
	rec, _ := s.Record(id)
	for _, d := range rec.Deliveries {
		if d.To.User != b.account.Phone() {
			t.Errorf("delivered to %v", d.To)
		}
	}
}
