package node

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// check sends one cell and looks at it from every side.
func (x *matrix) check(c cell) {
	if c.extra == refused && c.place.channel == nil {
		x.fault(wasim.FaultRule{
			Match: wasim.FaultMatch{Stage: wasim.StageMessage, Recipient: c.place.fault}, Times: 1,
			Action: wasim.Fault{AckError: &wasim.AckError{Code: 473}},
		})
	}
	res, err := x.node.Execute(x.ctx(), client.Request{Operation: send.OpButtons, Input: raw(x.t, c.request(x.files))}, nil)
	if c.extra == privately && c.place.channel != nil {
		p := problemOf(x.t, err)
		if p.HTTPStatus != http.StatusBadRequest || p.Code != "invalid_request" || p.Effect != sdk.EffectNone || p.Violations[0].Pointer != "/replyTo" {
			x.t.Errorf("problem = %+v", p)
		}
		return
	}
	x.must(err)
	x.arrived(c, res)
}

// checkRefusal sends a cell that WhatsApp refuses and that may not fall back: the caller is told
// why, and nobody gets it.
func (x *matrix) checkRefusal(c cell) {
	x.fault(wasim.FaultRule{
		Match: wasim.FaultMatch{Stage: wasim.StageMessage, Recipient: c.place.fault}, Times: 1,
		Action: wasim.Fault{AckError: &wasim.AckError{Code: 473}},
	})
	key := "refused " + c.place.name
	for range 2 { // the second is answered from the ledger
		_, err := x.node.Execute(x.ctx(), client.Request{Operation: send.OpButtons, Input: raw(x.t, c.request(x.files)), Key: key}, nil)
		p := problemOf(x.t, err)
		if p.Code != "send_failed" || p.HTTPStatus != http.StatusInternalServerError || p.Effect != sdk.EffectNone || p.Retryable ||
			!strings.HasPrefix(p.Message, "Failed to send buttons message: ") || !strings.Contains(p.Message, "473") {
			x.t.Errorf("problem = %+v", p)
		}
	}
	rec, _ := x.sim.Record(x.sentAs(key))
	if len(rec.Attempts) != 1 || rec.Attempts[0].Error != 473 || len(rec.Deliveries) != 0 {
		x.t.Errorf("the server's record: %+v", rec)
	}
}

// arrived compares everything about a cell that was sent.
func (x *matrix) arrived(c cell, res client.Result) {
	var out send.Output
	unmarshal(x.t, res.Output, &out)
	place := *c.place
	if c.extra == privately { // to the author of the quoted message, wherever the request was addressed
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

func (x *matrix) checkAnswer(c cell, p place, out send.Output, warnings []sdk.Warning) {
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

// checkRecord checks the stanza: one, accepted, to the right chat, with exactly one <biz> if there
// are buttons.
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

// checkDelay sends a cell with a delay: typing is shown, and ends before the message is sent. A
// channel shows no typing.
func (x *matrix) checkDelay(c cell) {
	began := time.Now()
	type outcome struct {
		res client.Result
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		res, err := x.node.Execute(context.WithoutCancel(x.t.Context()), client.Request{Operation: send.OpButtons, Input: raw(x.t, c.request(x.files))}, nil)
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
