package buttons

import "github.com/tapnode/tapnode/plugin/internal/recipient"

// Preview is the answer to a dry run, as schemas/whatsapp.sendButtons.preview.json
// describes it.
type Preview struct {
	Instance string          `json:"instance"`
	To       string          `json:"to"` // JID
	Header   *PreviewHeader  `json:"header"`
	Body     string          `json:"body"`
	Footer   string          `json:"footer"`
	Buttons  []PreviewButton `json:"buttons"`
	Text     string          `json:"text"` // the menu as numbered text
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
}

// NewPreview shows a request that has passed Validate.
func NewPreview(r Request, to recipient.Recipient) Preview {
	p := Preview{
		Instance: r.Instance,
		To:       to.JID().String(),
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
	for i, b := range r.Buttons {
		value := b.ID
		if b.Kind() == Call {
			value = callNumber(b)
		}
		p.Buttons = append(p.Buttons, PreviewButton{Index: i, Type: b.Kind(), Label: b.DisplayText, Value: value})
	}
	return p
}

// NewTextPreview shows a text request that has passed ValidateText.
func NewTextPreview(r TextRequest, to recipient.Recipient) Preview {
	return Preview{
		Instance: r.Instance,
		To:       to.JID().String(),
		Body:     r.ContentText,
		Buttons:  []PreviewButton{},
		Text:     r.ContentText,
	}
}
