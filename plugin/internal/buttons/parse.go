package buttons

import (
	"strings"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// Limits apply to a request or a filter. Size and depth are those of the contract; the number of
// values is far above what any request has and far below what would be costly.
var Limits = jsonstrict.Limits{Bytes: 16 << 20, Depth: 64, Values: 10_000, NoNUL: true}

// Parse reads the input of whatsapp.sendButtons. The violations concern the form only (JSON, types,
// unknown members) and all have CodeInvalidBody; a request without any still has to pass Validate.
// A member that is null or "" counts as not given.
func Parse(data []byte) (Request, []Violation) {
	var r Request
	faults := jsonstrict.Read(data, Limits, func(o *jsonstrict.Object) {
		o.String("instance", &r.Instance)
		o.String("number", &r.Number)
		o.String("contentText", &r.ContentText)
		o.Each("buttons", func(n int) { r.Buttons = make([]Button, n) }, func(i int, item *jsonstrict.Object) {
			b := &r.Buttons[i]
			item.String("id", &b.ID)
			item.String("displayText", &b.DisplayText)
			item.String("type", (*string)(&b.Type))
		})
		o.String("headerText", &r.HeaderText)
		o.String("footerText", &r.FooterText)
		o.String("mediaUrl", &r.MediaURL)
		o.String("mediaType", (*string)(&r.MediaType))
		o.Int("delay", &r.Delay)
		o.String("replyTo", &r.ReplyTo)
		o.Bool("replyPrivate", &r.ReplyPrivate)
		o.String("source", &r.Source)
		o.String("fallback", (*string)(&r.Fallback))
		o.Object("menu", r.Menu.read)
	})
	r.MediaType = MediaType(strings.ToUpper(string(r.MediaType)))
	return r, bodyViolations(faults)
}

// ParseText reads the input of whatsapp.sendText, by the rules of Parse.
func ParseText(data []byte) (TextRequest, []Violation) {
	var r TextRequest
	faults := jsonstrict.Read(data, Limits, func(o *jsonstrict.Object) {
		o.String("instance", &r.Instance)
		o.String("number", &r.Number)
		o.String("contentText", &r.ContentText)
		o.Int("delay", &r.Delay)
		o.String("replyTo", &r.ReplyTo)
		o.Bool("replyPrivate", &r.ReplyPrivate)
		o.String("source", &r.Source)
	})
	return r, bodyViolations(faults)
}

func bodyViolations(faults []jsonstrict.Error) []Violation {
	var violations []Violation
	for _, f := range faults {
		violations = append(violations, Violation{
			Pointer:    f.Pointer,
			Code:       CodeInvalidBody,
			Message:    "Invalid request body: " + f.Message,
			Suggestion: f.Suggestion,
		})
	}
	return violations
}
