package node

import (
	"context"
	"slices"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk"

	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/plugin/internal/send"
)

func (n *node) messageStatus() sdk.Offer {
	return sdk.Trigger{
		ID: opMessageStatus, Title: "When a message's status changes", Icon: "check-check",
		Summary: "Starts when a message this node sent was sent, delivered, read, refused, or got no answer.",
		Filter:  schemas.Read(schemas.MessageStatusFilter),
		Events:  []sdk.EventType{{Type: send.TypeStatus, Title: "Message status", Schema: schemas.Read(schemas.MessageStatus)}},
		Ports:   []sdk.Port{{ID: "out", Label: "Changed"}},
		Open: func(ctx context.Context, s sdk.Subscription) (sdk.Reader, error) {
			f, violations := parseStatusFilter(s.Filter)
			if len(violations) > 0 {
				return nil, sdk.Invalid(violations...)
			}
			return openReader(ctx, n.process.Load(), s, send.TypeStatus, f.Instances, matching(len(f.States)+len(f.Sources) == 0, f.match))
		},
	}
}

// statusFilter is whatsapp.messageStatus.filter.json. An empty list matches everything.
type statusFilter struct {
	Instances, States, Sources []string
}

var changedStates = []string{"unknown", "failed", "sent", "delivered", "read"}

func parseStatusFilter(data []byte) (f statusFilter, violations []sdk.Violation) {
	if len(data) == 0 {
		return f, nil
	}
	for _, fault := range jsonstrict.Read(data, buttons.Limits, func(o *jsonstrict.Object) {
		o.Strings("instances", &f.Instances)
		o.Strings("states", &f.States)
		o.Strings("sources", &f.Sources)
	}) {
		violations = append(violations, sdk.Violation{
			Pointer: fault.Pointer, Code: buttons.CodeInvalidBody,
			Message: "Invalid filter: " + fault.Message, Suggestion: fault.Suggestion,
		})
	}
	for _, state := range f.States {
		if !slices.Contains(changedStates, state) {
			violations = append(violations, sdk.Violation{
				Pointer: "/states", Code: problem.CodeInvalid,
				Message: "States must be among: unknown, failed, sent, delivered, read", Suggestion: "leave it out for all",
			})
			break
		}
	}
	return f, violations
}

func (f statusFilter) match(s send.Status) bool {
	has := func(allowed []string, value string) bool { return len(allowed) == 0 || slices.Contains(allowed, value) }
	return has(f.Instances, s.Instance) && has(f.States, s.To) && has(f.Sources, s.Source)
}

func (n *node) getMessage() sdk.Offer {
	return sdk.Operation[send.Query, send.Sent]{
		ID: "whatsapp.message.get@1", Title: "Look a message up", Icon: "search",
		Summary: "How far a sent message came, when, and why not further.", Replay: sdk.Pure,
		Input: schemas.Read(schemas.MessageGetInput), Output: schemas.Read(schemas.MessageGetOutput),
		Run: func(ctx context.Context, _ *sdk.Call, q send.Query) (send.Sent, error) {
			return n.process.Load().send.LookUp(ctx, q)
		},
	}
}

func (n *node) findContact() sdk.Offer {
	return sdk.Operation[send.Whom, send.Person]{
		ID: "whatsapp.contact.find@1", Title: "Find a contact", Icon: "user-search",
		Summary: "Whether a number is on WhatsApp, and under which names.", Replay: sdk.Pure,
		Input: schemas.Read(schemas.ContactFindInput), Output: schemas.Read(schemas.ContactFindOutput),
		Run: func(ctx context.Context, call *sdk.Call, q send.Whom) (send.Person, error) {
			return n.process.Load().send.Find(ctx, call, q)
		},
	}
}
