package buttons

import (
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"google.golang.org/protobuf/proto"
)

// EncodeText builds the message of whatsapp.sendText. It needs no nodes.
func EncodeText(r TextRequest, info *waE2E.ContextInfo) *waE2E.Message {
	return plain(r.ContentText, info)
}

// EncodeFallback builds a menu as numbered text; with media, as its caption.
func EncodeFallback(r Request, s Send) *waE2E.Message {
	if s.Media != nil {
		return s.Media.captioned(Text(r), s.Context)
	}
	return plain(Text(r), s.Context)
}

func plain(text string, info *waE2E.ContextInfo) *waE2E.Message {
	if info == nil {
		return &waE2E.Message{Conversation: proto.String(text)}
	}
	return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String(text), ContextInfo: info}}
}

// Text is a menu for clients without buttons. REPLY buttons are numbered from 1
// and answered by number or label, which Answer reads; the others show their
// value. It holds no words of its own, so it is in the language of the menu.
func Text(r Request) string {
	var parts, choices []string
	if r.HeaderText != "" && r.MediaURL == "" {
		parts = append(parts, "*"+r.HeaderText+"*")
	}
	parts = append(parts, r.ContentText)
	number := 0
	for _, b := range r.Buttons {
		switch b.Kind() {
		case Reply:
			number++
			choices = append(choices, fmt.Sprintf("%d. %s", number, b.DisplayText))
		case Call:
			choices = append(choices, b.DisplayText+": "+callNumber(b))
		default:
			choices = append(choices, b.DisplayText+": "+b.ID)
		}
	}
	if len(choices) > 0 {
		parts = append(parts, strings.Join(choices, "\n"))
	}
	if r.FooterText != "" {
		parts = append(parts, "_"+r.FooterText+"_")
	}
	return strings.Join(parts, "\n\n")
}

// ByLabel finds the REPLY button whose label somebody typed: its index, or false
// if no label, or more than one, is meant.
func ByLabel(buttons []Button, typed string) (int, bool) {
	found, typed := -1, FoldLabel(typed)
	for i, b := range buttons {
		if typed == "" || b.Kind() != Reply || FoldLabel(b.DisplayText) != typed {
			continue
		}
		if found >= 0 {
			return 0, false
		}
		found = i
	}
	return found, found >= 0
}

// Answer finds the REPLY button that an answer to Text means: a label, or the
// number before one, as in "2", "2." or "2)". A label that is itself a number wins.
func Answer(buttons []Button, typed string) (int, bool) {
	if i, ok := ByLabel(buttons, typed); ok {
		return i, true
	}
	typed = strings.TrimRight(FoldLabel(keycaps.Replace(typed)), ".) ")
	number := 0
	for i, b := range buttons {
		if b.Kind() != Reply {
			continue
		}
		if number++; typed == fmt.Sprint(number) {
			return i, true
		}
	}
	return 0, false
}

// keycaps turns the keyboard's number emoji into plain digits.
var keycaps = strings.NewReplacer("\ufe0f", "", "\u20e3", "")

// FoldLabel is a label as far as a person tells labels apart when typing one: its
// case, its spaces and the way its accents are composed do not count.
func FoldLabel(label string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFKC.String(strings.Join(strings.Fields(label), " "))))
}
