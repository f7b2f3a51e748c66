package buttons

import (
	"fmt"
	"strconv"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/internal/typed"
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

// Text returns a menu as text for clients without buttons. REPLY buttons are numbered from 1 and
// answered by number or label, which Answer reads; the others show their value. Text adds no words
// of its own, so the result stays in the language of the menu.
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

// ByLabel returns the index of the REPLY button whose label somebody typed, or false if no label or
// more than one matches. If none matches exactly, accents, the script of digits and a full stop are
// ignored.
func ByLabel(buttons []Button, said string) (int, bool) {
	for _, as := range []func(string) string{typed.Fold, typed.Loose} {
		found, n, said := -1, 0, as(said)
		for i, b := range buttons {
			if b.Kind() == Reply && said != "" && as(b.DisplayText) == said {
				found, n = i, n+1
			}
		}
		if n > 0 {
			return found, n == 1
		}
	}
	return -1, false
}

// Answer finds the REPLY button that an answer to Text refers to, by its label or by its number in
// the digits of any script, as in "2", "2." or "٢)". A label that is itself a number takes
// precedence.
func Answer(buttons []Button, said string) (int, bool) {
	if i, ok := ByLabel(buttons, said); ok {
		return i, true
	}
	said = typed.Loose(said)
	number := 0
	for i, b := range buttons {
		if b.Kind() != Reply {
			continue
		}
		if number++; said == strconv.Itoa(number) {
			return i, true
		}
	}
	return 0, false
}
