package clicks

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

const (
	menuID    = "3EB0C767D26B5F1A2B3C"
	anaLID    = "123456789012345@lid"
	anaPhone  = "5511999999999@s.whatsapp.net"
	groupJID  = "120363041234567890@g.us"
	otherUser = "5521888888888@s.whatsapp.net"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func jid(s string) types.JID {
	j, err := types.ParseJID(s)
	if err != nil {
		panic(err)
	}
	return j
}

// private chat with Ana, as whatsmeow reports it today: LID first.
func fromAna() types.MessageInfo {
	return types.MessageInfo{
		MessageSource: types.MessageSource{Chat: jid(anaLID), Sender: jid("123456789012345:12@lid"), SenderAlt: jid(anaPhone)},
		ID:            "3A1F", PushName: "Ana", Timestamp: noon,
	}
}

func inGroup() types.MessageInfo {
	info := fromAna()
	info.Chat, info.IsGroup = jid(groupJID), true
	return info
}

// readClick and readReceived are Read for one of its answers.
func readClick(m *waE2E.Message, info types.MessageInfo) (Click, bool) {
	if c := Read(m, info).Click; c != nil {
		return *c, true
	}
	return Click{}, false
}

func readReceived(m *waE2E.Message, info types.MessageInfo) (Received, bool) {
	if r := Read(m, info).Received; r != nil {
		return *r, true
	}
	return Received{}, false
}

func quoting(id string) *waE2E.ContextInfo {
	if id == "" {
		return nil
	}
	return &waE2E.ContextInfo{StanzaID: proto.String(id), Participant: proto.String("999@lid")}
}

func interactive(params, body, quote string) *waE2E.Message {
	return &waE2E.Message{InteractiveResponseMessage: &waE2E.InteractiveResponseMessage{
		Body: &waE2E.InteractiveResponseMessage_Body{Text: proto.String(body)},
		InteractiveResponseMessage: &waE2E.InteractiveResponseMessage_NativeFlowResponseMessage_{
			NativeFlowResponseMessage: &waE2E.InteractiveResponseMessage_NativeFlowResponseMessage{
				Name: proto.String("quick_reply"), ParamsJSON: proto.String(params),
			},
		},
		ContextInfo: quoting(quote),
	}}
}

func text(words, quote string) *waE2E.Message {
	if quote == "" {
		return &waE2E.Message{Conversation: proto.String(words)}
	}
	return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String(words), ContextInfo: quoting(quote)}}
}

func TestForms(t *testing.T) {
	rows := []struct {
		name    string
		message *waE2E.Message
		want    Click // only the part that the sender claims
	}{
		{"interactive", interactive(`{"id":"yes"}`, "Yes", menuID), Click{Form: FormInteractive, ButtonID: "yes", Label: "Yes", QuotedID: menuID}},
		{"interactive, label in params", interactive(`{"id":"yes","display_text":"Sure","title":"T"}`, "Body", menuID), Click{Form: FormInteractive, ButtonID: "yes", Label: "Sure", QuotedID: menuID}},
		{"interactive, title", interactive(`{"id":"yes","title":"T","other":[1,{}]}`, "Body", ""), Click{Form: FormInteractive, ButtonID: "yes", Label: "T"}},
		{"interactive, numeric id", interactive(`{"id":17}`, "", ""), Click{Form: FormInteractive, ButtonID: "17"}},
		{"interactive, large number", interactive(`{"id":12345678901234567890}`, "", ""), Click{Form: FormInteractive, ButtonID: "12345678901234567890"}},
		{"selectedRowId", interactive(`{"selectedRowId":"r"}`, "", ""), Click{Form: FormInteractive, ButtonID: "r"}},
		{"selected_row_id", interactive(`{"selected_row_id":"r"}`, "", ""), Click{Form: FormInteractive, ButtonID: "r"}},
		{"selectedId", interactive(`{"selectedId":"r"}`, "", ""), Click{Form: FormInteractive, ButtonID: "r"}},
		{"selected_id", interactive(`{"selected_id":"r","selectedDisplayText":"R"}`, "", ""), Click{Form: FormInteractive, ButtonID: "r", Label: "R"}},
		{"id before its aliases", interactive(`{"selectedId":"x","id":"yes"}`, "", ""), Click{Form: FormInteractive, ButtonID: "yes"}},
		{"id null, alias given", interactive(`{"id":null,"selectedId":"x"}`, "", ""), Click{Form: FormInteractive, ButtonID: "x"}},
		{"no id: words only", interactive(`{}`, "Yes", menuID), Click{Form: FormText, Label: "Yes", QuotedID: menuID}},
		{"params are no object: words only", interactive(`["yes"]`, "Yes", menuID), Click{Form: FormText, Label: "Yes", QuotedID: menuID}},
		{"params too long: words only", interactive(`{"id":"`+strings.Repeat("x", maxParams)+`"}`, "Yes", ""), Click{Form: FormText, Label: "Yes"}},
		{"buttons", &waE2E.Message{ButtonsResponseMessage: &waE2E.ButtonsResponseMessage{
			SelectedButtonID: proto.String("yes"), ContextInfo: quoting(menuID),
			Response: &waE2E.ButtonsResponseMessage_SelectedDisplayText{SelectedDisplayText: "Yes"},
		}}, Click{Form: FormButtons, ButtonID: "yes", Label: "Yes", QuotedID: menuID}},
		{"template", &waE2E.Message{TemplateButtonReplyMessage: &waE2E.TemplateButtonReplyMessage{
			SelectedID: proto.String("yes"), SelectedDisplayText: proto.String("Yes"), ContextInfo: quoting(menuID),
		}}, Click{Form: FormTemplate, ButtonID: "yes", Label: "Yes", QuotedID: menuID}},
		{"list", &waE2E.Message{ListResponseMessage: &waE2E.ListResponseMessage{
			Title: proto.String("Yes"), ContextInfo: quoting(menuID),
			SingleSelectReply: &waE2E.ListResponseMessage_SingleSelectReply{SelectedRowID: proto.String("yes")},
		}}, Click{Form: FormList, ButtonID: "yes", Label: "Yes", QuotedID: menuID}},
		{"words", text("Yes", ""), Click{Form: FormText, Label: "Yes"}},
		{"words with quote", text("Yes", menuID), Click{Form: FormText, Label: "Yes", QuotedID: menuID}},
		{"not UTF-8, U+0000", &waE2E.Message{Conversation: proto.String("a\xff\x00")}, Click{Form: FormText, Label: "a\ufffd\ufffd"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, ok := readClick(row.message, fromAna())
			if !ok {
				t.Fatal("not a click")
			}
			if got.MessageID != "3A1F" || !got.At.Equal(noon) || got.Sender.Name != "Ana" {
				t.Errorf("envelope %+v", got)
			}
			got = Click{Form: got.Form, ButtonID: got.ButtonID, Label: got.Label, QuotedID: got.QuotedID}
			if mustJSON(t, got) != mustJSON(t, row.want) {
				t.Errorf("got  %+v\nwant %+v", got, row.want)
			}
		})
	}
}

func TestNotAClick(t *testing.T) {
	tap := interactive(`{"id":"yes"}`, "Yes", menuID)
	own := fromAna()
	own.IsFromMe = true
	channel := fromAna()
	channel.Chat = jid("120363041234567890@newsletter")
	status := fromAna()
	status.Chat, status.IsGroup = types.StatusBroadcastJID, true
	nested := tap
	for range maxWrappers + 1 {
		nested = &waE2E.Message{EphemeralMessage: &waE2E.FutureProofMessage{Message: nested}}
	}
	for name, in := range map[string]struct {
		message *waE2E.Message
		info    types.MessageInfo
	}{
		"own echo":         {tap, own},
		"channel":          {tap, channel},
		"status":           {tap, status},
		"no sender":        {tap, types.MessageInfo{ID: "3A", MessageSource: types.MessageSource{Chat: jid(anaLID)}}},
		"nothing":          {nil, fromAna()},
		"empty":            {&waE2E.Message{}, fromAna()},
		"empty response":   {interactive("", "", menuID), fromAna()},
		"oversized id":     {interactive(`{"id":"`+strings.Repeat("x", maxID+1)+`"}`, "Yes", ""), fromAna()},
		"wrapped too deep": {nested, fromAna()},
		"image":            {&waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: proto.String("Yes")}}, fromAna()},
		"reaction":         {&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Text: proto.String("👍")}}, fromAna()},
	} {
		if c, ok := readClick(in.message, in.info); ok {
			t.Errorf("%s: taken for %+v", name, c)
		}
	}
}

func TestWrappers(t *testing.T) {
	tap := interactive(`{"id":"yes"}`, "Yes", menuID)
	in := func(m *waE2E.Message) *waE2E.FutureProofMessage { return &waE2E.FutureProofMessage{Message: m} }
	for name, m := range map[string]*waE2E.Message{
		"device sent":           {DeviceSentMessage: &waE2E.DeviceSentMessage{Message: tap}},
		"ephemeral":             {EphemeralMessage: in(tap)},
		"view once":             {ViewOnceMessage: in(tap)},
		"view once 2":           {ViewOnceMessageV2: in(tap)},
		"view once 2 extension": {ViewOnceMessageV2Extension: in(tap)},
		"with caption":          {DocumentWithCaptionMessage: in(tap)},
		"edited":                {EditedMessage: in(tap)},
		"two":                   {ViewOnceMessage: in(&waE2E.Message{EphemeralMessage: in(tap)})},
	} {
		if c, ok := readClick(m, fromAna()); !ok || c.ButtonID != "yes" || c.QuotedID != menuID {
			t.Errorf("%s: %+v, %v", name, c, ok)
		}
	}
}

func TestParties(t *testing.T) {
	rows := []struct {
		name       string
		source     types.MessageSource
		chat, from string
		keys       string
	}{
		{"LID first", types.MessageSource{Chat: jid(anaLID), Sender: jid("123456789012345:12@lid"), SenderAlt: jid(anaPhone)},
			`{"jid":"` + anaLID + `","lid":"` + anaLID + `","phone":"5511999999999","type":"private"}`,
			`{"jid":"` + anaLID + `","lid":"` + anaLID + `","phone":"5511999999999","name":""}`, anaLID + " " + anaPhone},
		{"phone first", types.MessageSource{Chat: jid(anaPhone), Sender: jid(anaPhone), SenderAlt: jid(anaLID)},
			`{"jid":"` + anaPhone + `","lid":"` + anaLID + `","phone":"5511999999999","type":"private"}`,
			`{"jid":"` + anaPhone + `","lid":"` + anaLID + `","phone":"5511999999999","name":""}`, anaLID + " " + anaPhone},
		{"phone hidden", types.MessageSource{Chat: jid(anaLID), Sender: jid(anaLID)},
			`{"jid":"` + anaLID + `","lid":"` + anaLID + `","phone":null,"type":"private"}`,
			`{"jid":"` + anaLID + `","lid":"` + anaLID + `","phone":null,"name":""}`, anaLID},
		{"broadcast list", types.MessageSource{Chat: jid("1700000000@broadcast"), Sender: jid(anaPhone), SenderAlt: jid(anaLID), IsGroup: true},
			`{"jid":"` + anaPhone + `","lid":"` + anaLID + `","phone":"5511999999999","type":"private"}`,
			`{"jid":"` + anaPhone + `","lid":"` + anaLID + `","phone":"5511999999999","name":""}`, anaLID + " " + anaPhone},
		{"group", types.MessageSource{Chat: jid(groupJID), Sender: jid(anaLID), SenderAlt: jid(anaPhone)},
			`{"jid":"` + groupJID + `","lid":null,"phone":null,"type":"group"}`,
			`{"jid":"` + anaLID + `","lid":"` + anaLID + `","phone":"5511999999999","name":""}`, groupJID},
		{"old and hosted servers", types.MessageSource{Chat: jid("5511999999999@c.us"), Sender: jid("5511999999999:99@hosted"), SenderAlt: jid("123456789012345:99@hosted.lid")},
			`{"jid":"` + anaPhone + `","lid":"` + anaLID + `","phone":"5511999999999","type":"private"}`,
			`{"jid":"` + anaPhone + `","lid":"` + anaLID + `","phone":"5511999999999","name":""}`, anaLID + " " + anaPhone},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c, ok := readClick(text("1", ""), types.MessageInfo{MessageSource: row.source, ID: "3A"})
			if !ok || mustJSON(t, c.Chat) != row.chat || mustJSON(t, c.Sender) != row.from {
				t.Errorf("chat %s\nsender %s, %v", mustJSON(t, c.Chat), mustJSON(t, c.Sender), ok)
			}
			if got := strings.Join(c.Keys(), " "); got != row.keys {
				t.Errorf("keys %q, want %q", got, row.keys)
			}
		})
	}
}

func mustJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func FuzzFromMessage(f *testing.F) {
	for _, m := range []*waE2E.Message{
		interactive(`{"id":"yes","display_text":"Yes"}`, "Yes", menuID), interactive(`{"id":1e9}`, "", ""), text("1", ""), text("Yes", menuID),
		{EphemeralMessage: &waE2E.FutureProofMessage{Message: interactive(`[`, "x", "")}},
		{ListResponseMessage: &waE2E.ListResponseMessage{Title: proto.String("a")}},
	} {
		raw, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	menu := Menu{MessageID: menuID, Chat: []string{anaLID}, Buttons: yesNo(), AsText: true, SentAt: noon}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m waE2E.Message
		if proto.Unmarshal(raw, &m) != nil {
			return
		}
		if c, ok := readClick(&m, fromAna()); ok {
			match := Correlate(c, []Menu{menu})
			if match.Menu != nil && c.QuotedID != "" && c.QuotedID != menuID {
				t.Fatalf("%+v was matched to a menu it does not name", c)
			}
			event := NewClicked("shop-1", c, match)
			if longer(event.RawID, maxID) || longer(event.Button.DisplayText, maxLabel) {
				t.Fatalf("unbounded event %+v", event)
			}
		}
		if r, ok := readReceived(&m, fromAna()); ok && (r.Kind == "" || longer(r.Text, maxText)) {
			t.Fatalf("received %+v", r)
		}
	})
}
