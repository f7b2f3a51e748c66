package buttons

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tapnode/tapnode/internal/typed"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
)

// maxViolations bounds the answer to a request with thousands of buttons.
const maxViolations = 100

// Validate checks what Parse has read. It returns all violations, in the order
// and the words of the HTTP API's error table, and all warnings.
func Validate(r Request) ([]Violation, []Warning) {
	c := &check{}
	c.destination(r.Instance, r.Number)
	c.content(r.ContentText)
	c.count(r.Buttons)
	c.media(r)
	for i, b := range r.Buttons {
		c.button(i, b)
	}
	to := c.number(r.Number)
	c.instanceName(r.Instance)
	c.texts(r)
	for i, b := range r.Buttons {
		c.value(i, b)
	}
	c.distinct(r.Buttons)
	c.sending(r.Delay, r.ReplyTo, r.Source)
	if r.Fallback != "" && r.Fallback != FallbackNone && r.Fallback != FallbackText {
		c.refuse("/fallback", "Fallback must be one of: none, text", "use none or text")
	}
	c.menu(r.Menu)
	return c.violations, warnings(r, to)
}

// ValidateText is Validate for whatsapp.sendText.
func ValidateText(r TextRequest) ([]Violation, []Warning) {
	c := &check{}
	c.destination(r.Instance, r.Number)
	c.content(r.ContentText)
	c.number(r.Number)
	c.instanceName(r.Instance)
	c.length("/contentText", "ContentText", r.ContentText, maxContent)
	c.sending(r.Delay, r.ReplyTo, r.Source)
	return c.violations, quoteWarnings(r.ReplyTo, r.ReplyPrivate)
}

// check collects violations.
type check struct{ violations []Violation }

func (c *check) add(pointer, code, message, suggestion string) {
	if len(c.violations) < maxViolations {
		c.violations = append(c.violations, Violation{pointer, code, message, suggestion})
	}
}

// refuse adds a violation that the HTTP API's error table leaves to the service.
func (c *check) refuse(pointer, message, suggestion string) {
	c.add(pointer, CodeInvalidRequest, message, suggestion)
}

func (c *check) destination(instance, number string) {
	if blank(instance) {
		c.add("/instance", CodeInstanceRequired, "Instance name is required", "name the instance that sends")
	}
	if blank(number) {
		c.add("/number", CodeNumberRequired, "Number is required", "give a phone number with country code, or a JID")
	}
}

func (c *check) content(text string) {
	if blank(text) {
		c.add("/contentText", CodeContentRequired, "ContentText is required", "write the text that stands above the buttons")
	}
}

func (c *check) count(buttons []Button) {
	switch {
	case len(buttons) == 0:
		c.add("/buttons", CodeButtonsRequired, "At least one button is required", "add a button with id and displayText")
	case len(buttons) > maxButtons:
		c.add("/buttons", CodeTooManyButtons, "Maximum of 3 buttons allowed", "split the menu in two messages")
	}
}

func (c *check) media(r Request) {
	switch {
	case r.MediaURL == "":
	case r.MediaType == "":
		c.add("/mediaType", CodeMediaTypeRequired, "MediaType is required when MediaURL is provided", "use IMAGE, VIDEO or DOCUMENT")
	case r.MediaType != Image && r.MediaType != Video && r.MediaType != Document:
		c.add("/mediaType", CodeMediaTypeInvalid, "MediaType must be one of: IMAGE, VIDEO, DOCUMENT", "use IMAGE, VIDEO or DOCUMENT")
	}
}

func (c *check) button(i int, b Button) {
	at := fmt.Sprintf("/buttons/%d", i)
	if blank(b.ID) {
		c.add(at+"/id", CodeButtonIDRequired, fmt.Sprintf("Button %d: ID is required", i+1), "REPLY: any id; URL: the link; CALL: the number; COPY: the code")
	}
	if !typed.Visible(b.DisplayText) {
		c.add(at+"/displayText", CodeButtonLabelRequired, fmt.Sprintf("Button %d: DisplayText is required", i+1), "write the text on the button")
	}
	switch b.Kind() {
	case Reply, URL, Call, Copy:
	default:
		c.add(at+"/type", CodeButtonTypeInvalid, fmt.Sprintf("Button %d: Type must be one of: REPLY, URL, CALL, COPY", i+1), "use one of them in capitals; without a type it is REPLY")
	}
}

// number reports a destination that is present but malformed.
func (c *check) number(number string) recipient.Recipient {
	if blank(number) {
		return recipient.Recipient{}
	}
	to, err := recipient.Parse(number)
	var invalid *recipient.Error
	if errors.As(err, &invalid) {
		c.add("/number", CodeInvalidNumber, invalid.Error(), invalid.Suggestion)
	}
	return to
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }
