package buttons

// Request is the input of whatsapp.sendButtons. An empty member was not given.
type Request struct {
	Instance     string
	Number       string
	ContentText  string
	Buttons      []Button
	HeaderText   string
	FooterText   string
	MediaURL     string
	MediaType    MediaType
	Delay        int // seconds
	ReplyTo      string
	ReplyPrivate bool
	Source       string
	Fallback     Fallback
	Menu         Menu `json:",omitzero"`
}

// Button is one button. What ID means depends on the type.
type Button struct {
	ID          string `json:"id"`
	DisplayText string `json:"displayText"`
	Type        Type   `json:"type"`
}

// Type says what a tap on a button does.
type Type string

// The types of button.
const (
	Reply Type = "REPLY" // answers with ID
	URL   Type = "URL"   // opens the link in ID
	Call  Type = "CALL"  // dials the number in ID
	Copy  Type = "COPY"  // copies ID
)

// Kind is the type with the default filled in.
func (b Button) Kind() Type {
	if b.Type == "" {
		return Reply
	}
	return b.Type
}

// MediaType says what the header media is. Parse turns it to upper case.
type MediaType string

// The types of header media.
const (
	Image    MediaType = "IMAGE"
	Video    MediaType = "VIDEO"
	Document MediaType = "DOCUMENT"
)

// Fallback says what happens when WhatsApp refuses the buttons. Empty is
// FallbackNone.
type Fallback string

// The fallbacks.
const (
	FallbackNone Fallback = "none"
	FallbackText Fallback = "text"
)

// TextRequest is the input of whatsapp.sendText.
type TextRequest struct {
	Instance     string
	Number       string
	ContentText  string
	Delay        int // seconds
	ReplyTo      string
	ReplyPrivate bool
	Source       string
}

// Limits in characters. WhatsApp publishes none for linked devices. The soft limits are what its
// Cloud API allows and clients show; the hard limits keep everything bounded.
// schemas/whatsapp.sendButtons.input.json repeats them.
const (
	maxButtons = 3 // never contradicted by any source

	maxContent          = 4096
	maxContentWithMedia = 1024 // becomes a caption
	maxHeading          = 1024 // header and footer text
	maxLabel            = 128
	maxReplyID          = 256
	maxValue            = 2048 // link, code
	maxMediaURL         = 4096 // signed cloud storage URLs are long
	maxCallNumber       = 32
	maxName             = 128               // source, replyTo
	maxDelay            = 300               // seconds
	maxExpiry           = 90 * 24 * 60 * 60 // seconds
	maxAllowed          = 50                // allowedSenders

	softHeading = 60
	softLabel   = 20
)
