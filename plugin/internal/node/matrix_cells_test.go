package node

import (
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
)

// shape is a set of buttons: what the request says, what must arrive, and the same as text.
type shape struct {
	name    string
	buttons []obj
	flow    [][2]string // name and parameters, as the phone must get them
	text    string
	warns   []string
}

var (
	yes   = obj{"id": "yes", "displayText": "Yes, \"please\""}
	no    = obj{"id": "no", "displayText": "No", "type": "REPLY"}
	later = obj{"id": "other", "displayText": "Ünd «später»?"}
	link  = obj{"id": "https://example.com/?a=1&b=<2>", "displayText": "Open", "type": "URL"}
	call  = obj{"id": "+55 (11) 99999-9999", "displayText": "Call", "type": "CALL"}
	code  = obj{"id": "PIX-1\n2", "displayText": "Copy", "type": "COPY"}
)

const (
	flowYes   = `{"display_text":"Yes, \"please\"","id":"yes"}`
	flowNo    = `{"display_text":"No","id":"no"}`
	flowLater = `{"display_text":"Ünd «später»?","id":"other"}`
	flowLink  = `{"display_text":"Open","url":"https://example.com/?a=1&b=<2>","merchant_url":"https://example.com/?a=1&b=<2>"}`
	flowCall  = `{"display_text":"Call","phone_number":"+5511999999999"}`
	flowCode  = `{"display_text":"Copy","copy_code":"PIX-1\n2"}`
)

var shapes = []shape{
	{
		name: "three replies", buttons: []obj{yes, no, later},
		flow: [][2]string{{"quick_reply", flowYes}, {"quick_reply", flowNo}, {"quick_reply", flowLater}},
		text: "1. Yes, \"please\"\n2. No\n3. Ünd «später»?",
	},
	{name: "url", buttons: []obj{link}, flow: [][2]string{{"cta_url", flowLink}}, text: "Open: https://example.com/?a=1&b=<2>"},
	{name: "call", buttons: []obj{call}, flow: [][2]string{{"cta_call", flowCall}}, text: "Call: +5511999999999"},
	{name: "copy", buttons: []obj{code}, flow: [][2]string{{"cta_copy", flowCode}}, text: "Copy: PIX-1\n2"},
	{
		name: "url call copy", buttons: []obj{link, call, code},
		flow: [][2]string{{"cta_url", flowLink}, {"cta_call", flowCall}, {"cta_copy", flowCode}},
		text: "Open: https://example.com/?a=1&b=<2>\nCall: +5511999999999\nCopy: PIX-1\n2",
	},
	{
		name: "reply url", buttons: []obj{yes, link}, flow: [][2]string{{"quick_reply", flowYes}, {"cta_url", flowLink}},
		text: "1. Yes, \"please\"\nOpen: https://example.com/?a=1&b=<2>", warns: []string{buttons.WarnMixedTypes},
	},
}

// heading is a header: none, text, or a file of a type.
type heading struct {
	name, text, mediaType, path, mimetype string
}

var headings = []heading{
	{name: "no header"},
	{name: "text header", text: "Shop"},
	{name: "image", mediaType: "IMAGE", path: "/menu.png", mimetype: "image/png"},
	{name: "video", mediaType: "video", path: "/clip.mp4", mimetype: "video/mp4"},
	{name: "document", mediaType: "DOCUMENT", path: "/prices.pdf", mimetype: "application/pdf"},
}

// extra is what a request has besides.
type extra string

const (
	plainly   extra = "plain"
	quoting   extra = "quote"
	privately extra = "private"
	delayed   extra = "delay"
	refused   extra = "fallback"
)

// cell is one combination of the matrix.
type cell struct {
	place   *place
	shape   shape
	heading heading
	extra   extra
}

const (
	bodyText   = "How can *we* help?\nWe are <open> & happy 🙂"
	footerText = "We answer at once"
)

func (c cell) request(files string) obj {
	r := obj{
		"instance": "shop", "number": c.place.number, "contentText": bodyText, "footerText": footerText,
		"buttons": c.shape.buttons, "source": "matrix",
	}
	switch {
	case c.heading.mediaType != "":
		r["mediaUrl"], r["mediaType"], r["headerText"] = files+c.heading.path, c.heading.mediaType, "not shown"
	case c.heading.text != "":
		r["headerText"] = c.heading.text
	}
	switch c.extra {
	case quoting:
		r["replyTo"] = c.place.said.id
	case privately:
		r["replyTo"], r["replyPrivate"] = c.place.inGroup.id, true
	case delayed:
		r["delay"] = 1
	case refused:
		r["fallback"] = "text"
	}
	return r
}

// asText reports whether the buttons arrive as text.
func (c cell) asText() bool { return c.extra == refused || c.place.channel != nil }

func (c cell) warnings() []string {
	var list []string
	if c.place.channel != nil {
		list = append(list, buttons.WarnNewsletter)
	}
	list = append(list, c.shape.warns...)
	if c.heading.mediaType != "" {
		list = append(list, buttons.WarnHeaderIgnored)
	}
	if c.extra == refused && c.place.channel == nil {
		list = append(list, "sent_as_text")
	}
	return list
}

// quote is what the message must carry about the quoted one.
func (c cell) quote() *waE2E.ContextInfo {
	q, from := c.place.said, (*string)(nil)
	switch c.extra {
	case privately:
		q, from = c.place.inGroup, proto.String(c.place.inGroup.chat.String())
	case quoting:
	default:
		return nil
	}
	return &waE2E.ContextInfo{
		StanzaID: proto.String(q.id), Participant: proto.String(q.author.String()), QuotedMessage: q.message, RemoteJID: from,
	}
}

// want is the message that must arrive. Its media is that of got: which file it leads to is checked
// elsewhere.
func (c cell) want(got *waE2E.Message) *waE2E.Message {
	if c.asText() {
		return c.wantText(got)
	}
	m := &waE2E.InteractiveMessage{
		Body: &waE2E.InteractiveMessage_Body{Text: proto.String(bodyText)}, Footer: &waE2E.InteractiveMessage_Footer{Text: proto.String(footerText)},
		ContextInfo: c.quote(),
	}
	flow := &waE2E.InteractiveMessage_NativeFlowMessage{MessageVersion: proto.Int32(1)}
	for _, b := range c.shape.flow {
		flow.Buttons = append(flow.Buttons, &waE2E.InteractiveMessage_NativeFlowMessage_NativeFlowButton{
			Name: proto.String(b[0]), ButtonParamsJSON: proto.String(b[1]),
		})
	}
	m.InteractiveMessage = &waE2E.InteractiveMessage_NativeFlowMessage_{NativeFlowMessage: flow}
	sent := got.GetInteractiveMessage().GetHeader()
	switch strings.ToUpper(c.heading.mediaType) {
	case "IMAGE":
		m.Header = &waE2E.InteractiveMessage_Header{Media: &waE2E.InteractiveMessage_Header_ImageMessage{ImageMessage: sent.GetImageMessage()}}
	case "VIDEO":
		m.Header = &waE2E.InteractiveMessage_Header{Media: &waE2E.InteractiveMessage_Header_VideoMessage{VideoMessage: sent.GetVideoMessage()}}
	case "DOCUMENT":
		m.Header = &waE2E.InteractiveMessage_Header{Media: &waE2E.InteractiveMessage_Header_DocumentMessage{DocumentMessage: sent.GetDocumentMessage()}}
	default:
		if c.heading.text != "" {
			m.Header = &waE2E.InteractiveMessage_Header{Title: proto.String(c.heading.text)}
		}
	}
	if m.Header != nil {
		m.Header.HasMediaAttachment = proto.Bool(c.heading.mediaType != "")
	}
	return &waE2E.Message{InteractiveMessage: m}
}

func (c cell) wantText(got *waE2E.Message) *waE2E.Message {
	text := bodyText + "\n\n" + c.shape.text + "\n\n_" + footerText + "_"
	if c.heading.text != "" {
		text = "*" + c.heading.text + "*\n\n" + text
	}
	switch strings.ToUpper(c.heading.mediaType) {
	case "IMAGE":
		m := proto.CloneOf(got.GetImageMessage())
		m.Caption, m.ContextInfo = proto.String(text), c.quote()
		return &waE2E.Message{ImageMessage: m}
	case "VIDEO":
		m := proto.CloneOf(got.GetVideoMessage())
		m.Caption, m.ContextInfo = proto.String(text), c.quote()
		return &waE2E.Message{VideoMessage: m}
	case "DOCUMENT":
		m := proto.CloneOf(got.GetDocumentMessage())
		m.Caption, m.ContextInfo = proto.String(text), c.quote()
		return &waE2E.Message{DocumentMessage: m}
	}
	if q := c.quote(); q != nil {
		return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String(text), ContextInfo: q}}
	}
	return &waE2E.Message{Conversation: proto.String(text)}
}
