package buttons

import "github.com/tapnode/tapnode/plugin/internal/recipient"

// Preview is the answer to a dry run, as schemas/whatsapp.sendButtons.preview.json
// describes it.
type Preview struct {
	Kind     string          `json:"kind"` // "message": how a host may draw it
	Instance string          `json:"instance"`
	To       string          `json:"to"` // JID
	Quote    *PreviewQuote   `json:"quote,omitempty"`
	Header   *PreviewHeader  `json:"header"`
	Body     string          `json:"body"`
	Footer   string          `json:"footer"`
	Buttons  []PreviewButton `json:"buttons"`
	Text     string          `json:"text"` // the menu as numbered text
}

// PreviewQuote is the message that this one answers. Only its id is known to a dry run.
type PreviewQuote struct {
	MessageID string `json:"messageId"`
}

// PreviewHeader is a text (Type TEXT) or a media header.
type PreviewHeader struct {
	Type     string `json:"type"`
	Text     string `json:"text,omitempty"`
	MediaURL string `json:"mediaUrl,omitempty"`
}

// PreviewButton is a button as it would be drawn and what a tap on it uses.
type PreviewButton struct {
	Index int    `json:"index"` // from 0
	Type  Type   `json:"type"`
	Label string `json:"label"`
	Value string `json:"value"`
	// HiddenOn lists the apps that do not show the button: phone, desktop (which also stands for
	// the web).
	HiddenOn []string `json:"hiddenOn,omitempty"`
}

// previewKind tells a host to draw the preview as a chat message.
const previewKind = "message"

// NewPreview shows a request that has passed Validate.
func NewPreview(r Request, to recipient.Recipient) Preview {
	p := Preview{
		Kind:     previewKind,
		Instance: r.Instance,
		To:       to.JID().String(),
		Quote:    previewQuote(r.ReplyTo),
		Body:     r.ContentText,
		Footer:   r.FooterText,
		Buttons:  []PreviewButton{},
		Text:     Text(r),
	}
	switch {
	case r.MediaURL != "":
		p.Header = &PreviewHeader{Type: string(r.MediaType), MediaURL: r.MediaURL}
	case r.HeaderText != "":
		p.Header = &PreviewHeader{Type: "TEXT", Text: r.HeaderText}
	}
	mixed := countReplies(r.Buttons) < len(r.Buttons)
	for i, b := range r.Buttons {
		value := b.ID
		if b.Kind() == Call {
			value = callNumber(b)
		}
		shown := PreviewButton{Index: i, Type: b.Kind(), Label: b.DisplayText, Value: value}
		switch {
		case to.Kind == recipient.Newsletter:
			shown.HiddenOn = []string{"phone", "desktop"}
		case mixed && b.Kind() == Reply:
			shown.HiddenOn = []string{"desktop"}
		}
		p.Buttons = append(p.Buttons, shown)
	}
	return p
}

// NewTextPreview shows a text request that has passed ValidateText.
func NewTextPreview(r TextRequest, to recipient.Recipient) Preview {
	return Preview{
		Kind:     previewKind,
		Instance: r.Instance,
		To:       to.JID().String(),
		Quote:    previewQuote(r.ReplyTo),
		Body:     r.ContentText,
		Buttons:  []PreviewButton{},
		Text:     r.ContentText,
	}
}

func previewQuote(messageID string) *PreviewQuote {
	if messageID == "" {
		return nil
	}
	return &PreviewQuote{messageID}
}
