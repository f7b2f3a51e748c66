package clicks

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// TestEveryKindOfMessage: for every member that a message can have, it is decided whether a person
// sees it; a new version of whatsmeow that adds a member fails here. Wrappers show their contents.
func TestEveryKindOfMessage(t *testing.T) {
	decided, err := os.ReadFile("testdata/kinds.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	fields := (*waE2E.Message)(nil).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f, m := fields.Get(i), &waE2E.Message{}
		kind := "nothing"
		if f.Message() == nil {
			m.ProtoReflect().Set(f, protoreflect.ValueOfString("Hi"))
		} else if of := m.ProtoReflect().Mutable(f).Message(); wrapped(f) != nil {
			if r, ok := readReceived(m, fromAna()); ok {
				t.Errorf("%s with nothing inside: %+v", f.Name(), r)
			}
			of.Set(wrapped(f), protoreflect.ValueOfMessage(text("inside", "").ProtoReflect()))
		}
		if r, ok := readReceived(m, fromAna()); ok && r.Text == "inside" {
			kind = "what is inside"
		} else if ok {
			kind = string(r.Kind)
		}
		fmt.Fprintf(&got, "%s: %s\n", f.Name(), kind)
	}
	if got.String() != string(decided) {
		t.Errorf("decide what is new in testdata/kinds.txt and in silent; it is now\n%s", got.String())
	}
}

// TestOther: the text and the quote of messages that have no kind of their own.
func TestOther(t *testing.T) {
	quote := quoting(menuID)
	note := text("for the pizza", "")
	for name, row := range map[string]struct {
		message *waE2E.Message
		text    string
		quotes  bool
	}{
		"poll":     {&waE2E.Message{PollCreationMessageV3: &waE2E.PollCreationMessage{Name: proto.String("Friday?"), ContextInfo: quote}}, "Friday?", true},
		"invite":   {&waE2E.Message{GroupInviteMessage: &waE2E.GroupInviteMessage{GroupName: proto.String("Team"), Caption: proto.String("Join us"), ContextInfo: quote}}, "Join us", true},
		"invoice":  {&waE2E.Message{InvoiceMessage: &waE2E.InvoiceMessage{Note: proto.String("May")}}, "May", false},
		"payment":  {&waE2E.Message{SendPaymentMessage: &waE2E.SendPaymentMessage{NoteMessage: note}}, "for the pizza", false},
		"request":  {&waE2E.Message{RequestPaymentMessage: &waE2E.RequestPaymentMessage{NoteMessage: &waE2E.Message{RequestPaymentMessage: &waE2E.RequestPaymentMessage{NoteMessage: note}}}}, "", false},
		"stickers": {&waE2E.Message{StickerPackMessage: &waE2E.StickerPackMessage{Name: proto.String("Cats"), ContextInfo: quote}}, "Cats", true},
		"menu":     {&waE2E.Message{InteractiveMessage: &waE2E.InteractiveMessage{Body: &waE2E.InteractiveMessage_Body{Text: proto.String("Which?")}, ContextInfo: quote}}, "Which?", true},
		"buttons": {&waE2E.Message{ButtonsMessage: &waE2E.ButtonsMessage{
			ContentText: proto.String("Which?"), Header: &waE2E.ButtonsMessage_Text{Text: "Menu"}, ContextInfo: quote,
		}}, "Which?", true},
		"template": {&waE2E.Message{TemplateMessage: &waE2E.TemplateMessage{ContextInfo: quote, HydratedTemplate: &waE2E.TemplateMessage_HydratedFourRowTemplate{
			HydratedContentText: proto.String("Which?"), Title: &waE2E.TemplateMessage_HydratedFourRowTemplate_HydratedTitleText{HydratedTitleText: "Menu"},
		}}}, "Which?", true},
		"list":    {&waE2E.Message{ListMessage: &waE2E.ListMessage{Title: proto.String("Menu"), Description: proto.String("Which?"), ContextInfo: quote}}, "Menu", true},
		"wrapped": {&waE2E.Message{PollCreationMessageV4: &waE2E.FutureProofMessage{Message: &waE2E.Message{PollCreationMessage: &waE2E.PollCreationMessage{Name: proto.String("Friday?")}}}}, "Friday?", false},
		"comment": {&waE2E.Message{CommentMessage: &waE2E.CommentMessage{Message: &waE2E.Message{PollCreationMessage: &waE2E.PollCreationMessage{}}}}, "", false},
		"keys beside it": {&waE2E.Message{SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{}, MessageContextInfo: &waE2E.MessageContextInfo{},
			EventMessage: &waE2E.EventMessage{Name: proto.String("Party"), ContextInfo: quote}}, "Party", true},
	} {
		r, ok := readReceived(row.message, fromAna())
		if !ok || r.Kind != KindOther || r.Text != row.text || (r.QuotedID == menuID) != row.quotes {
			t.Errorf("%s: %+v, %v", name, r, ok)
		}
	}
}

// TestParts: a picture that arrives twice, in two qualities, is one message.
func TestParts(t *testing.T) {
	picture := func(of waE2E.MessageAssociation_AssociationType, parent *waCommon.MessageKey) *waE2E.Message {
		return &waE2E.Message{ImageMessage: &waE2E.ImageMessage{}, MessageContextInfo: &waE2E.MessageContextInfo{
			MessageAssociation: &waE2E.MessageAssociation{AssociationType: of.Enum(), ParentMessageKey: parent},
		}}
	}
	key := &waCommon.MessageKey{ID: proto.String("3A00")}
	better := picture(waE2E.MessageAssociation_HD_IMAGE_DUAL_UPLOAD, key)
	for name, row := range map[string]struct {
		message *waE2E.Message
		want    bool
	}{
		"of an album":      {picture(waE2E.MessageAssociation_MEDIA_ALBUM, key), true},
		"by itself":        {picture(waE2E.MessageAssociation_HD_IMAGE_DUAL_UPLOAD, nil), true},
		"in better":        {better, false},
		"in better, child": {&waE2E.Message{AssociatedChildMessage: &waE2E.FutureProofMessage{Message: better}}, false},
		"told outside": {&waE2E.Message{MessageContextInfo: better.MessageContextInfo,
			AssociatedChildMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: &waE2E.ImageMessage{}}}}, false},
		"child": {&waE2E.Message{AssociatedChildMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: &waE2E.ImageMessage{}}}}, true},
	} {
		if _, ok := readReceived(row.message, fromAna()); ok != row.want {
			t.Errorf("%s: received is %v", name, ok)
		}
	}
}
