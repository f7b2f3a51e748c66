package wasim

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/plugin/wasim/internal/jsonapi"
)

// maxInboxPage is the most messages in one answer.
const maxInboxPage = 500

// messageView is a message in the control API. Users appear as numbers where the server knows them, as
// JIDs elsewhere.
type messageView struct {
	ID      string       `json:"id"`
	Time    time.Time    `json:"time"`
	Chat    string       `json:"chat"`
	From    string       `json:"from"`
	FromMe  bool         `json:"fromMe,omitempty"`
	Header  string       `json:"header,omitempty"`
	Text    string       `json:"text"`
	Footer  string       `json:"footer,omitempty"`
	Buttons []buttonView `json:"buttons,omitempty"`
	Media   *mediaView   `json:"media,omitempty"`
	Quoted  string       `json:"quoted,omitempty"`
	Biz     int          `json:"biz"`    // buttons render when it is exactly 1
	Copies  int          `json:"copies"` // how often it arrived
}

type buttonView struct {
	Type        string `json:"type"`
	ID          string `json:"id,omitempty"`
	DisplayText string `json:"displayText"`
	URL         string `json:"url,omitempty"`
	Phone       string `json:"phone,omitempty"`
	Code        string `json:"code,omitempty"`
}

func (s *Server) viewMessage(m Message) messageView {
	v := messageView{ID: m.ID, Time: m.Time, Chat: s.nameOf(m.Chat), From: s.nameOf(m.From), FromMe: m.FromMe,
		Header: m.Header, Text: m.Text, Footer: m.Footer, Quoted: m.Quoted, Biz: m.Biz, Copies: m.Copies}
	_, v.Media = m.file()
	for _, b := range m.Buttons {
		v.Buttons = append(v.Buttons, buttonView{b.Type, b.ID, b.DisplayText, b.URL, b.Phone, b.Code})
	}
	return v
}

// nameOfText is nameOf for a JID in text.
func (s *Server) nameOfText(text string) string {
	jid, err := types.ParseJID(text)
	if err != nil {
		return text
	}
	return s.nameOf(jid)
}

// nameOf returns the number of a user, and the JID of anything else.
func (s *Server) nameOf(jid types.JID) string {
	if a := s.find(jid); a != nil {
		return a.phone
	}
	return jid.String()
}

func (s *Server) phoneEndpoints() []jsonapi.Endpoint {
	return []jsonapi.Endpoint{
		{Method: "POST", Path: "phones", Summary: "make a customer: a number with a phone of its own, connected",
			Curl: `$SIM/phones -d '{"number":"5511900000002","name":"Ana"}'`, Handle: s.createPhone},
		{Method: "GET", Path: "phones/{number}/inbox", Summary: "what the customer sees, oldest first; wait for a message beyond ?after=ID with ?wait=5s",
			Curl: `'$SIM/phones/5511900000002/inbox?wait=5s'`, Handle: s.showInbox},
		{Method: "POST", Path: "phones/{number}/click", Summary: "press a button of a message, of the newest that has it by default; ?wait=5s waits for it",
			Curl: `'$SIM/phones/5511900000002/click?wait=5s' -d '{"buttonId":"yes"}'`, Handle: s.clickButton},
		{Method: "POST", Path: "phones/{number}/text", Summary: "send a text to a number or a group",
			Curl: `$SIM/phones/5511900000002/text -d '{"to":"5511900000001","text":"hello"}'`, Handle: s.sendText},
		{Method: "POST", Path: "phones/{number}/read", Summary: "read a message, or everything in a chat",
			Curl: `$SIM/phones/5511900000002/read -d '{"chat":"5511900000001"}'`, Handle: s.readMessage},
		{Method: "GET", Path: "phones/{number}/media/{message}", Summary: "the picture, video or document of a message, as the phone has decrypted it",
			Curl: `$SIM/phones/5511900000002/media/3EB0… -o picture`, Handle: s.showMedia},
		{Method: "POST", Path: "phones/{number}/settings", Summary: "whether senders see what was read; how long the messages of a chat live, in seconds, 0 for ever",
			Curl: `$SIM/phones/5511900000002/settings -d '{"readReceipts":false,"disappearing":{"chat":"5511900000001","seconds":86400}}'`, Handle: s.changePhone},
		{Method: "GET", Path: "watch", Summary: "all phones as server-sent events: how they are, then every change; ?limit=200 messages of each to begin with",
			Curl: `-N --max-time 5 $SIM/watch`, Handle: s.watch},
		{Method: "POST", Path: "phones/{number}/disconnect", Summary: "take the phone off the net; messages for it wait",
			Curl: `-X POST $SIM/phones/5511900000002/disconnect`, Handle: s.disconnectPhone},
		{Method: "POST", Path: "phones/{number}/connect", Summary: "bring the phone back",
			Curl: `-X POST $SIM/phones/5511900000002/connect`, Handle: s.connectPhone},
	}
}

func (s *Server) createPhone(r *jsonapi.Request) (any, error) {
	var in newNumber
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if whatsmeow.WACertPubKey != s.root.Public() {
		return nil, jsonapi.Refuse(http.StatusConflict, "phones are off: the simulator's own process does not trust it (Server.Trust)")
	}
	ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
	defer cancel()
	p, err := s.NewPhone(ctx, in.Number, in.options()...)
	if err != nil {
		return nil, err
	}
	return jsonapi.Created{Value: viewAccount(p.account)}, nil
}

func (s *Server) showInbox(r *jsonapi.Request) (any, error) {
	p, err := s.pathPhone(r)
	if err != nil {
		return nil, err
	}
	q, err := r.Query("wait", "after", "limit")
	if err != nil {
		return nil, err
	}
	wait, err := jsonapi.Wait(q["wait"])
	if err != nil {
		return nil, err
	}
	limit, err := jsonapi.Count("limit", q["limit"], maxInboxPage)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	beyond := after(p.Inbox(), q["after"])
	if len(beyond) == 0 && wait > 0 {
		passed := q["after"] == ""
		// An expired wait is not an error: the answer is the inbox as it stands.
		_, _ = p.Wait(ctx, func(m Message) bool {
			was := passed
			passed = passed || m.ID == q["after"]
			return was
		})
		beyond = after(p.Inbox(), q["after"])
	}
	views := []messageView{}
	for _, m := range beyond[:min(limit, len(beyond))] {
		views = append(views, s.viewMessage(m))
	}
	return views, nil
}

// after returns the messages after the one with the given id, or all if there is no such message.
func after(inbox []Message, id string) []Message {
	i := slices.IndexFunc(inbox, func(m Message) bool { return m.ID == id })
	return inbox[i+1:]
}

// sent is the answer to a request that sends a message.
type sent struct {
	MessageID string `json:"messageId"`
}

func (s *Server) clickButton(r *jsonapi.Request) (any, error) {
	var in struct {
		ButtonID  string `json:"buttonId"`
		MessageID string `json:"messageId"`
		Shape     Shape  `json:"shape"`
		NoQuote   bool   `json:"noQuote"`
		Ephemeral bool   `json:"ephemeral"`
		lost
	}
	p, err := s.pathPhone(r)
	if err != nil {
		return nil, err
	}
	q, err := r.Query("wait")
	if err != nil {
		return nil, err
	}
	wait, err := jsonapi.Wait(q["wait"])
	if err != nil {
		return nil, err
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if in.Shape != "" && !slices.Contains(Shapes(), in.Shape) {
		return nil, jsonstrict.Errorf("/shape", "must be one of %v", Shapes())
	}
	has := func(m Message) bool {
		return (in.MessageID == "" || m.ID == in.MessageID) &&
			slices.ContainsFunc(m.Buttons, func(b Button) bool { return b.ID == in.ButtonID })
	}
	m, err := p.newest(r.Context(), wait, has)
	if err != nil && in.Chat != "" {
		m, err = s.remembered(in.MessageID, in.ButtonID, in.lost)
	}
	if problem, ok := errors.AsType[*jsonstrict.Error](err); ok {
		return nil, problem
	}
	if err != nil {
		return nil, jsonapi.Refuse(http.StatusNotFound, "the inbox has no such message with a button %q", in.ButtonID)
	}
	var options []ClickOption
	if in.NoQuote {
		options = append(options, NoQuote())
	}
	if in.Ephemeral {
		options = append(options, Ephemeral())
	}
	ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
	defer cancel()
	id, err := p.Click(ctx, m, in.ButtonID, in.Shape, options...)
	return sent{id}, err
}

// lost is what a person knows of a message that the phone no longer has.
type lost struct {
	Chat        string `json:"chat"`
	DisplayText string `json:"displayText"`
}

// remembered rebuilds the part of a message that a click needs, for a message the phone no longer shows: a phone that
// was set up anew keeps its old chats, and their buttons still work.
func (s *Server) remembered(id, button string, l lost) (Message, error) {
	if id == "" {
		return Message{}, jsonstrict.Errorf("/messageId", "must name the message that the phone has no more")
	}
	chat, err := s.recipient(l.Chat)
	if err != nil {
		return Message{}, jsonstrict.Errorf("/chat", "%s", err)
	}
	if s.find(chat) == nil {
		return Message{}, jsonstrict.Errorf("/chat", "no account has this number")
	}
	chat = s.chatOf(chat)
	return Message{ID: id, Chat: chat, From: chat, Buttons: []Button{{Type: ButtonReply, ID: button, DisplayText: l.DisplayText}}}, nil
}

// newest returns the last message of the inbox that accept accepts, or else waits for the first such message.
func (p *Phone) newest(ctx context.Context, wait time.Duration, accept func(Message) bool) (Message, error) {
	for _, m := range slices.Backward(p.Inbox()) {
		if accept(m) {
			return m, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return p.Wait(ctx, accept)
}

func (s *Server) sendText(r *jsonapi.Request) (any, error) {
	var in struct {
		To   string `json:"to"`
		Text string `json:"text"`
	}
	p, err := s.pathPhone(r)
	if err != nil {
		return nil, err
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	to, err := s.recipient(in.To)
	if err != nil {
		return nil, jsonstrict.Errorf("/to", "%s", err)
	}
	if in.Text == "" {
		return nil, jsonstrict.Errorf("/text", "must not be empty")
	}
	ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
	defer cancel()
	id, err := p.SendText(ctx, to, in.Text)
	return sent{id}, err
}

// recipient parses a number or the JID of a group.
func (s *Server) recipient(text string) (types.JID, error) {
	if jid, err := types.ParseJID(text); err == nil && jid.Server == types.GroupServer && s.group(jid) != nil {
		return jid, nil
	}
	number, err := digits(text)
	return types.NewJID(number, types.DefaultUserServer), err
}

func (s *Server) readMessage(r *jsonapi.Request) (any, error) {
	var in struct {
		MessageID string `json:"messageId"`
		Chat      string `json:"chat"`
	}
	p, err := s.pathPhone(r)
	if err != nil {
		return nil, err
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
	defer cancel()
	if in.MessageID == "" {
		chat, err := s.recipient(in.Chat)
		if err != nil {
			return nil, jsonstrict.Errorf("/chat", "%s", err)
		}
		return nil, p.ReadChat(ctx, s.chatOf(chat))
	}
	inbox := p.Inbox()
	i := slices.IndexFunc(inbox, func(m Message) bool { return m.ID == in.MessageID })
	if i < 0 {
		return nil, jsonapi.Refuse(http.StatusNotFound, "the inbox has no message of this id")
	}
	return nil, p.Read(ctx, inbox[i])
}

// chatOf returns the JID under which phones keep the chat with a recipient.
func (s *Server) chatOf(to types.JID) types.JID {
	if a := s.find(to); a != nil {
		return a.lid
	}
	return to
}

// changePhone changes the settings that the request names, and leaves the others.
func (s *Server) changePhone(r *jsonapi.Request) (any, error) {
	var in struct {
		ReadReceipts *bool `json:"readReceipts"`
		Disappearing *struct {
			Chat    string `json:"chat"`
			Seconds int    `json:"seconds"`
		} `json:"disappearing"`
	}
	p, err := s.pathPhone(r)
	if err != nil {
		return nil, err
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if in.ReadReceipts != nil {
		p.ReadReceipts(*in.ReadReceipts)
	}
	if in.Disappearing == nil {
		return nil, nil
	}
	chat, err := s.recipient(in.Disappearing.Chat)
	if err != nil {
		return nil, jsonstrict.Errorf("/disappearing/chat", "%s", err)
	}
	if in.Disappearing.Seconds < 0 || in.Disappearing.Seconds > int(maxTimer/time.Second) {
		return nil, jsonstrict.Errorf("/disappearing/seconds", "must be between 0 and %d", int(maxTimer/time.Second))
	}
	ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
	defer cancel()
	return nil, p.SetTimer(ctx, chat, time.Duration(in.Disappearing.Seconds)*time.Second)
}

func (s *Server) disconnectPhone(r *jsonapi.Request) (any, error) {
	p, err := s.pathPhone(r)
	if err == nil {
		p.Disconnect()
	}
	return nil, err
}

func (s *Server) connectPhone(r *jsonapi.Request) (any, error) {
	p, err := s.pathPhone(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
	defer cancel()
	return nil, p.Connect(ctx)
}
