package node

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// original is a message that others can quote.
type original struct {
	id           types.MessageID
	chat, author types.JID
	message      *waE2E.Message
}

// place is a destination, and what a message to it looks like from there.
type place struct {
	name    string
	number  string
	readers []*wasim.Phone
	went    types.JID // where the server sees the message go
	chat    types.JID // on the readers' phones
	fault   string    // its name in a fault rule
	said    original  // in this chat
	inGroup original  // in a group, by readers[0]
	channel *wasim.Newsletter
}

// matrix is a shop, its customers, a group of today's kind and one of the old kind, and a channel.
type matrix struct {
	*world
	files  string
	bytes  map[string][]byte // by path
	places []*place
}

// TestMatrix sends every combination of destination, buttons, header and extra, and compares what the phones decrypt,
// what the server saw and what the caller is told with what the request means.
func TestMatrix(t *testing.T) {
	x := newMatrix(t)
	for _, p := range x.places {
		for _, s := range shapes {
			for _, h := range headings {
				for _, e := range []extra{plainly, quoting, privately, refused} {
					c := cell{p, s, h, e}
					t.Run(p.name+"/"+s.name+"/"+h.name+"/"+string(e), func(t *testing.T) { x.on(t).check(c) })
				}
			}
		}
	}
	t.Run("delay", func(t *testing.T) {
		for i, p := range x.places {
			c := cell{p, shapes[i%len(shapes)], headings[i%len(headings)], delayed}
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				x.on(t).checkDelay(c)
			})
		}
	})
	if got := x.sim.Media(); got.Uploads != int64(2*len(x.bytes)) { // each once sealed, for chats, and once in the clear, for the channel
		t.Errorf("%d files were uploaded %d times", len(x.bytes), got.Uploads)
	}
	if u := x.sim.Unhandled(); len(u) > 0 {
		t.Errorf("stanzas the server does not know: %v", u)
	}
}

// on is the same matrix for a subtest.
func (x *matrix) on(t *testing.T) *matrix {
	w := *x.world
	w.t = t
	y := *x
	y.world = &w
	return &y
}

func newMatrix(t *testing.T) *matrix {
	w := newWorld(t, wasim.Options{Limits: wasim.Limits{Stanzas: 1 << 15}})
	ana, bob, eve := w.customer(anaNumber), w.customer("5511988880002"), w.customer("5511988880003")
	own := w.pair("shop", shopNumber)
	team, err := w.sim.NewGroup("Team", own, ana.Account(), bob.Account())
	w.must(err)
	old, err := w.sim.NewNumberGroup("Old", own, eve.Account(), bob.Account())
	w.must(err)
	offers, err := w.sim.NewNewsletter("Offers", own, ana.Account())
	w.must(err)

	x := &matrix{world: w, bytes: map[string][]byte{
		"/menu.png": picture(t), "/prices.pdf": []byte("%PDF-1.7\n1 0 obj\n"),
		"/clip.mp4": append([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"), make([]byte, 600)...),
	}}
	files := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = rw.Write(x.bytes[r.URL.Path]) // a test's own server
	}))
	t.Cleanup(files.Close)
	x.files = files.URL

	inbox := w.subscribe(opMessageReceived, nil)
	say := func(p *wasim.Phone, chat, author types.JID) original {
		text := "Are you open?"
		id, err := p.SendText(w.ctx(), chat, text)
		w.must(err)
		w.next(inbox, new(clicks.MessageReceived))
		return original{id, chat, author, &waE2E.Message{Conversation: proto.String(text)}}
	}
	for _, person := range []struct {
		name, number string
		phone        *wasim.Phone
	}{
		{"phone", "+55 11 98888-0001", ana}, {"s.whatsapp.net", bob.JID().String(), bob}, {"lid", eve.LID().String(), eve},
	} {
		x.places = append(x.places, &place{
			name: person.name, number: person.number, readers: []*wasim.Phone{person.phone}, went: person.phone.LID(), chat: own.LID(),
			fault: person.phone.Account().Phone(), said: say(person.phone, own.LID(), person.phone.LID()),
		})
	}
	inTeam, inOld := say(ana, team.JID(), ana.LID()), say(eve, old.JID(), eve.JID())
	byBob := say(bob, team.JID(), bob.LID())
	for i, said := range []original{inTeam, byBob, inOld} {
		x.places[i].inGroup = said
	}
	x.places = append(x.places,
		&place{name: "g.us", number: team.JID().String(), readers: []*wasim.Phone{ana, bob}, went: team.JID(), chat: team.JID(),
			fault: team.JID().String(), said: inTeam, inGroup: inTeam},
		&place{name: "g.us of old", number: old.JID().String(), readers: []*wasim.Phone{eve, bob}, went: old.JID(), chat: old.JID(),
			fault: old.JID().String(), said: inOld, inGroup: inOld},
		&place{name: "newsletter", number: offers.JID().String(), readers: []*wasim.Phone{ana}, went: offers.JID(), chat: offers.JID(),
			fault: offers.JID().String(), inGroup: inTeam, channel: offers},
	)
	var post output
	w.must(w.call(opSendText, obj{"instance": "shop", "number": offers.JID().String(), "contentText": "Hello"}, &post))
	x.places[len(x.places)-1].said = original{post.MessageID, offers.JID(), offers.JID(), &waE2E.Message{Conversation: proto.String("Hello")}}
	return x
}

func picture(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewRGBA(image.Rect(0, 0, 24, 16))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// check sends one cell and looks at it from every side.
func (x *matrix) check(c cell) {
	if c.extra == refused && c.place.channel == nil {
		x.fault(wasim.FaultRule{
			Match: wasim.FaultMatch{Stage: wasim.StageMessage, Recipient: c.place.fault}, Times: 1,
			Action: wasim.Fault{AckError: &wasim.AckError{Code: 473}},
		})
	}
	res, err := x.node.Execute(x.ctx(), client.Request{Operation: opSendButtons, Input: raw(x.t, c.request(x.files))}, nil)
	if c.extra == privately && c.place.channel != nil {
		p := problemOf(x.t, err)
		if p.HTTPStatus != http.StatusBadRequest || p.Code != codeInvalid || p.Effect != sdk.EffectNone || p.Violations[0].Pointer != "/replyTo" {
			x.t.Errorf("problem = %+v", p)
		}
		return
	}
	x.must(err)
	x.arrived(c, res)
}

// arrived compares everything about a cell that was sent.
func (x *matrix) arrived(c cell, res client.Result) {
	var out output
	unmarshal(x.t, res.Output, &out)
	place := *c.place
	if c.extra == privately { // to its author, wherever the request said
		place.readers, place.went, place.chat = place.readers[:1], place.readers[0].LID(), x.sim.Account(shopNumber).LID()
	}
	x.checkAnswer(c, place, out, res.Warnings)
	x.checkRecord(c, place, out.MessageID)
	for _, phone := range place.readers {
		m, err := phone.WaitID(x.ctx(), out.MessageID)
		x.must(err)
		if m.Chat != place.chat || m.Copies != 1 || m.Retry != 0 {
			x.t.Errorf("on the phone: chat %s, %d copies, retry %d", m.Chat.Server, m.Copies, m.Retry)
		}
		if want := c.want(m.Message); !proto.Equal(m.Message, want) {
			x.t.Errorf("the phone decrypts\n%v\nnot\n%v", m.Message, want)
		}
		x.checkMedia(c, phone.Client(), m.Message)
	}
	if place.channel != nil {
		posts := place.channel.Posts()
		last := posts[len(posts)-1]
		if last.ID != out.MessageID || (last.MediaID != "") != (c.heading.mediaType != "") {
			x.t.Errorf("the channel has %s with the media %q", last.ID, last.MediaID)
		}
	}
}

func (x *matrix) checkAnswer(c cell, p place, out output, warnings []sdk.Warning) {
	rendered := "buttons"
	if c.asText() {
		rendered = "text"
	}
	if out.RenderedAs != rendered || out.MessageType != "buttons" || out.Status != "sent" || out.Content != bodyText || out.Source != "matrix" ||
		out.Chat.JID != p.went.String() || (out.ReplyTo != nil) != (c.quote() != nil) {
		x.t.Errorf("output = %+v", out)
	}
	var codes []string
	for _, w := range warnings {
		codes = append(codes, w.Code)
	}
	if !slices.Equal(codes, c.warnings()) {
		x.t.Errorf("warnings = %q, want %q", codes, c.warnings())
	}
}

// bizXML is the node that makes phones show the buttons.
var bizXML = (&waBinary.Node{Tag: "biz", Content: []waBinary.Node{{
	Tag: "interactive", Attrs: waBinary.Attrs{"type": "native_flow", "v": "1"},
	Content: []waBinary.Node{{Tag: "native_flow", Attrs: waBinary.Attrs{"v": "9", "name": "mixed"}}},
}}}).String()

// checkRecord looks at the stanza: one, accepted, to the right chat, with exactly one <biz> if there are buttons.
func (x *matrix) checkRecord(c cell, p place, id types.MessageID) {
	rec, ok := x.sim.Record(id)
	if !ok || len(rec.Attempts) != 1 || rec.Attempts[0].Error != 0 || rec.Attempts[0].To != p.went {
		x.t.Errorf("the server's record: %+v", rec.Attempts)
		return
	}
	found := rec.Attempts[0].Node.GetChildrenByTag("biz")
	switch {
	case c.asText():
		if len(found) != 0 {
			x.t.Errorf("a text left with %d <biz>", len(found))
		}
	case len(found) != 1 || found[0].String() != bizXML:
		x.t.Errorf("the stanza carries %v, want one %s", found, bizXML)
	}
}

// checkMedia opens the header as the phone does.
func (x *matrix) checkMedia(c cell, phone *whatsmeow.Client, m *waE2E.Message) {
	if c.heading.mediaType == "" {
		return
	}
	header := m.GetInteractiveMessage().GetHeader()
	for _, media := range []interface {
		whatsmeow.DownloadableMessage
		GetMimetype() string
	}{
		header.GetImageMessage(), header.GetVideoMessage(), header.GetDocumentMessage(), m.GetImageMessage(), m.GetVideoMessage(), m.GetDocumentMessage(),
	} {
		if media.GetMimetype() == "" {
			continue
		}
		data, err := phone.Download(x.ctx(), media)
		if err != nil || !bytes.Equal(data, x.bytes[c.heading.path]) || media.GetMimetype() != c.heading.mimetype {
			x.t.Errorf("the phone opens %d bytes of %s: %v", len(data), media.GetMimetype(), err)
		}
		if sealed := len(media.GetMediaKey()) > 0; sealed != (c.place.channel == nil) {
			x.t.Errorf("media key: %v", sealed)
		}
		return
	}
	x.t.Errorf("there is no media in %v", m)
}

// checkDelay sends a cell with a delay: typing is seen, and over, before the message leaves. A channel shows none.
func (x *matrix) checkDelay(c cell) {
	began := time.Now()
	type outcome struct {
		res client.Result
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		res, err := x.node.Execute(context.WithoutCancel(x.t.Context()), client.Request{Operation: opSendButtons, Input: raw(x.t, c.request(x.files))}, nil)
		done <- outcome{res, err}
	}()
	if c.place.channel == nil {
		x.must(c.place.readers[0].WaitTyping(x.ctx(), c.place.chat, true))
		x.must(c.place.readers[0].WaitTyping(x.ctx(), c.place.chat, false))
	}
	o := <-done
	x.must(o.err)
	if time.Since(began) < time.Second {
		x.t.Error("the message did not wait")
	}
	x.arrived(c, o.res)
	var out struct{ MessageID string }
	if err := json.Unmarshal(o.res.Output, &out); err != nil {
		x.t.Fatal(err)
	}
	var order []string
	for _, s := range x.sim.Stanzas(func(s wasim.Stanza) bool { return s.Direction == wasim.In && s.Node.Attrs["to"] == c.place.went }) {
		switch {
		case s.Node.Tag == "chatstate":
			order = append(order, s.Node.GetChildren()[0].Tag)
		case s.Node.Tag == "message" && s.Node.Attrs["id"] == out.MessageID:
			order = append(order, "message")
		}
	}
	want := []string{"composing", "paused", "message"}
	if c.place.channel != nil {
		want = want[2:]
	}
	if !slices.Equal(order, want) {
		x.t.Errorf("the server saw %q, want %q", order, want)
	}
}
