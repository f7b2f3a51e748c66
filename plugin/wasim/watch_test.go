package wasim_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// watched is an event of GET watch.
type watched struct {
	kind string
	data map[string]any
}

// watching reads the stream until the test ends.
func watching(t *testing.T, s *wasim.Server) <-chan watched {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), http.MethodGet, s.URL()+wasim.ControlPath+"watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("a watch is %q", kind)
	}
	t.Cleanup(func() {
		_ = resp.Body.Close()
		client.CloseIdleConnections()
	})
	told := make(chan watched, 1_000)
	go func() {
		defer close(told)
		lines := bufio.NewScanner(resp.Body)
		kind := ""
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				kind = name
			} else if raw, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				e := watched{kind: kind}
				if json.Unmarshal([]byte(raw), &e.data) == nil {
					told <- e
				}
			}
		}
	}()
	return told
}

// hear returns the next event of a kind whose members are these.
func hear(t *testing.T, told <-chan watched, kind string, want map[string]any) map[string]any {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case e, ok := <-told:
			if !ok {
				t.Fatalf("the stream ended before a %s with %v", kind, want)
			}
			fits := e.kind == kind
			for name, value := range want {
				fits = fits && e.data[name] == value
			}
			if fits {
				return e.data
			}
		case <-deadline:
			t.Fatalf("heard no %s with %v", kind, want)
		}
	}
}

type says = map[string]any

// until waits for what no event tells of.
func until(t *testing.T, done func() bool) {
	t.Helper()
	ctx, look := within(t), time.NewTicker(5*time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatal("it did not happen")
		}
	}
}

// A watcher is told how everything is, then what a chat brings: messages, the ticks beside the person's own, what was read.
func TestWatch(t *testing.T) {
	s := start(t, wasim.Options{})
	c := control(t, s)
	b := open(t, s, "5511999990000", wasim.PushName("Shop"))
	b.pair()
	p := customer(t, s, "5511988880001", wasim.PushName("Ana"))
	if _, err := s.NewGroup("Team", p.Account(), b.account); err != nil {
		t.Fatal(err)
	}
	early := b.text(p.JID(), "hello")
	if _, err := p.WaitID(within(t), early); err != nil {
		t.Fatal(err)
	}
	told := watching(t, s)
	hear(t, told, "opened", nil)
	hear(t, told, "account", says{"number": "5511999990000", "name": "Shop"})
	hear(t, told, "phone", says{"number": "5511988880001", "name": "Ana", "online": true, "readReceipts": true})
	hear(t, told, "message", says{"id": early, "phone": "5511988880001", "chat": "5511999990000", "text": "hello"})
	hear(t, told, "group", says{"subject": "Team"})
	hear(t, told, "ready", nil)

	ana := "phones/5511988880001/"
	menu := b.menu(p.JID(), "Yes", "No")
	hear(t, told, "message", says{"id": menu})
	var click struct{ MessageID string }
	c.call("POST", ana+"click", `{"buttonId":"id-yes"}`, 200, &click)
	hear(t, told, "message", says{"id": click.MessageID, "fromMe": true, "quoted": menu, "text": "Yes", "status": "sent"})
	b.cli.SetForceActiveDeliveryReceipts(true)
	if err := b.cli.MarkRead(within(t), []types.MessageID{click.MessageID}, time.Now(), p.LID(), p.LID()); err != nil {
		t.Fatal(err)
	}
	hear(t, told, "message", says{"id": click.MessageID, "status": "read"})

	c.call("POST", ana+"disconnect", "", 204, nil)
	hear(t, told, "phone", says{"online": false})
	c.call("POST", ana+"click", `{"buttonId":"id-no"}`, 200, &click)
	hear(t, told, "message", says{"id": click.MessageID, "status": "waiting"})
	if rec, ok := s.Record(click.MessageID); ok {
		t.Errorf("a phone off the net sent %+v", rec)
	}
	c.call("POST", ana+"connect", "", 204, nil)
	hear(t, told, "message", says{"id": click.MessageID, "status": "delivered"}) // a watcher may not see that it was sent before
	await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == click.MessageID })

	c.call("POST", ana+"read", `{"chat":"5511999990000"}`, 204, nil)
	hear(t, told, "message", says{"id": menu, "read": true})
	await(t, b, 0, func(e *events.Receipt) bool { return e.Type == "read" && slices.Contains(e.MessageIDs, menu) })
	c.call("POST", ana+"settings", `{"readReceipts":false}`, 204, nil)
	hear(t, told, "phone", says{"readReceipts": false})
	unseen := b.text(p.JID(), "?")
	hear(t, told, "message", says{"id": unseen})
	c.call("POST", ana+"read", `{"chat":"5511999990000"}`, 204, nil)
	hear(t, told, "message", says{"id": unseen, "read": true})
	until(t, func() bool {
		rec, _ := s.Record(unseen)
		return slices.ContainsFunc(rec.Receipts, func(r wasim.ReceiptRecord) bool { return r.Type == "read-self" })
	})

	c.call("POST", "phones", `{"number":"5511988880002","name":"Bruno"}`, 201, nil)
	hear(t, told, "phone", says{"number": "5511988880002", "name": "Bruno"})
	noUnhandled(t, s)
}

// With disappearing messages on, the other side is told, what the person sends says for how long, and it goes.
func TestDisappearing(t *testing.T) {
	s := start(t, wasim.Options{})
	c := control(t, s)
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	told := watching(t, s)
	hear(t, told, "ready", nil)
	ana := "phones/5511988880001/"
	menu := b.menu(p.JID(), "Yes", "No")
	hear(t, told, "message", says{"id": menu})
	c.call("POST", ana+"settings", `{"disappearing":{"chat":"5511999990000","seconds":86400}}`, 204, nil)
	await(t, b, 0, func(e *events.Message) bool {
		return e.Message.GetProtocolMessage().GetEphemeralExpiration() == 86400
	})
	if set := hear(t, told, "phone", nil)["disappearing"]; set == nil || set.(map[string]any)["5511999990000"] != 86400.0 {
		t.Errorf("the phone says %v", set)
	}
	var sent struct{ MessageID string }
	for path, body := range map[string]string{"click": `{"buttonId":"id-yes"}`, "text": `{"to":"5511999990000","text":"hello"}`} {
		c.call("POST", ana+path, body, 200, &sent)
		await(t, b, 0, func(e *events.Message) bool {
			info := e.Message.GetExtendedTextMessage().GetContextInfo()
			if path == "click" {
				info = e.Message.GetInteractiveResponseMessage().GetContextInfo()
			}
			return e.Info.ID == sent.MessageID && info.GetExpiration() == 86400 && info.GetEphemeralSettingTimestamp() > 0
		})
	}
	short := &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("soon gone"), ContextInfo: &waE2E.ContextInfo{Expiration: proto.Uint32(5)}}} // a watcher misses what does not last
	gone, err := b.cli.SendMessage(within(t), p.JID(), short, whatsmeow.SendRequestExtra{})
	if err != nil {
		t.Fatal(err)
	}
	if hear(t, told, "message", says{"id": gone.ID})["expires"] == nil {
		t.Error("nothing says when it disappears")
	}
	until(t, func() bool {
		return !slices.ContainsFunc(p.Inbox(), func(m wasim.Message) bool { return m.ID == gone.ID })
	})
	if in := p.Inbox(); len(in) != 1 || in[0].ID != menu {
		t.Errorf("left over: %v", in)
	}
	c.call("POST", ana+"settings", `{"disappearing":{"chat":"5511999990000","seconds":0}}`, 204, nil)
	if set := hear(t, told, "phone", nil)["disappearing"]; set != nil {
		t.Errorf("after it was switched off the phone says %v", set)
	}
	for body, pointer := range map[string]string{
		`{"disappearing":{"chat":"5511999990000","seconds":-1}}`: "/disappearing/seconds",
		`{"disappearing":{"chat":"nobody","seconds":60}}`:        "/disappearing/chat",
	} {
		if got := c.call("POST", ana+"settings", body, 400, nil); !strings.Contains(got, pointer) {
			t.Errorf("%s: %s", body, got)
		}
	}
}

// A person can press a button of a message that the phone does not know: it came to an earlier simulator.
func TestButtonOfAnEarlierPhone(t *testing.T) {
	s := start(t, wasim.Options{})
	c := control(t, s)
	b := open(t, s, "5511999990000")
	b.pair()
	customer(t, s, "5511988880001")
	var click struct{ MessageID string }
	ana := "phones/5511988880001/"
	c.call("POST", ana+"click", `{"buttonId":"id-yes","messageId":"3EB0OLD","chat":"5511999990000","displayText":"Yes"}`, 200, &click)
	await(t, b, 0, func(e *events.Message) bool {
		answer := e.Message.GetInteractiveResponseMessage()
		return e.Info.ID == click.MessageID && answer.GetContextInfo().GetStanzaID() == "3EB0OLD" && answer.GetBody().GetText() == "Yes"
	})
	for body, pointer := range map[string]string{
		`{"buttonId":"id-yes","chat":"5511999990000","displayText":"Yes"}`:                       "/messageId",
		`{"buttonId":"id-yes","messageId":"3EB0OLD","chat":"5511999990009","displayText":"Yes"}`: "/chat",
		`{"buttonId":"id-yes","messageId":"3EB0OLD","chat":"nobody","displayText":"Yes"}`:        "/chat",
	} {
		if got := c.call("POST", ana+"click", body, 400, nil); !strings.Contains(got, `"`+pointer+`"`) {
			t.Errorf("%s: %s", body, got)
		}
	}
	c.call("POST", ana+"click", `{"buttonId":"id-yes","messageId":"3EB0OLD"}`, 404, nil)
}

// The phone shows the picture that was sent, decrypted; only pictures and videos are for a browser to show.
func TestPictureOnThePhone(t *testing.T) {
	s := start(t, wasim.Options{})
	c := control(t, s)
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	send := func(kind string) (id types.MessageID) {
		up, err := b.cli.Upload(within(t), []byte("content of "+kind), whatsmeow.MediaImage)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := b.cli.SendMessage(within(t), p.JID(), &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
			Caption: proto.String("look"), Mimetype: proto.String(kind), URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey,
			FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256, FileLength: &up.FileLength,
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.WaitID(within(t), sent.ID); err != nil {
			t.Fatal(err)
		}
		return sent.ID
	}
	ana := "phones/5511988880001/"
	for kind, shownAs := range map[string]string{"image/png": "image/png", "image/svg+xml": "application/octet-stream"} {
		id := send(kind)
		resp, err := http.Get(s.URL() + wasim.ControlPath + ana + "media/" + id)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != shownAs || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %d %v", kind, resp.StatusCode, resp.Header)
		}
		if got := c.call("GET", ana+"media/"+id, "", 200, nil); got != "content of "+kind {
			t.Errorf("%s: the phone shows %q", kind, got)
		}
	}
	if got := c.call("GET", ana+"inbox", "", 200, nil); !strings.Contains(got, `"type": "IMAGE"`) {
		t.Errorf("inbox: %s", got)
	}
	c.call("GET", ana+"media/nothing", "", 404, nil)
}
