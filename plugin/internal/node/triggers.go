package node

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk"
)

func (n *node) buttonClick() sdk.Offer {
	return sdk.Trigger{
		ID: opButtonClick, Title: "When a button is clicked", Icon: "mouse-pointer-click",
		Summary: "Starts on every tap on a REPLY button of a menu this node sent.",
		Filter:  schemas.Read(schemas.ButtonClickFilter),
		Events:  []sdk.EventType{clickEvent()},
		Ports:   []sdk.Port{{ID: "out", Label: "Clicked"}},
		Open: func(ctx context.Context, s sdk.Subscription) (sdk.Reader, error) {
			f, violations := clicks.ParseClickFilter(s.Filter)
			if len(violations) > 0 {
				return nil, sdk.Invalid(violationsOf(violations)...)
			}
			return openReader(ctx, n.process.Load(), s, clicks.TypeClicked, f.Instances, matching(false, f.Match))
		},
	}
}

func (n *node) messageReceived() sdk.Offer {
	return sdk.Trigger{
		ID: opMessageReceived, Title: "When a message arrives", Icon: "message-circle",
		Summary: "Starts on every message of a customer that is not a click.",
		Filter:  schemas.Read(schemas.MessageReceivedFilter),
		Events:  []sdk.EventType{messageEvent()},
		Ports:   []sdk.Port{{ID: "out", Label: "Received"}},
		Open: func(ctx context.Context, s sdk.Subscription) (sdk.Reader, error) {
			f, violations := clicks.ParseMessageFilter(s.Filter)
			if len(violations) > 0 {
				return nil, sdk.Invalid(violationsOf(violations)...)
			}
			return openReader(ctx, n.process.Load(), s, clicks.TypeReceived, f.Instances, matching(f.All(), f.Match))
		},
	}
}

// clickEvent and messageEvent are the events that answer a menu, with the port of the menu's node
// that they use.
func clickEvent() sdk.EventType {
	return sdk.EventType{
		Type: clicks.TypeClicked, Title: "Button clicked",
		Schema: schemas.Read(schemas.ButtonClicked), Port: "reply:{/button/id}",
	}
}

func messageEvent() sdk.EventType {
	return sdk.EventType{
		Type: clicks.TypeReceived, Title: "Message received",
		Schema: schemas.Read(schemas.MessageReceived), Port: "text",
	}
}

// matching applies a filter to stored events. If the filter matches all events, they are not
// decoded.
func matching[E any](all bool, match func(E) bool) func(data []byte) (bool, error) {
	return func(data []byte) (bool, error) {
		if all {
			return true, nil
		}
		var e E
		if err := json.Unmarshal(data, &e); err != nil {
			return false, fmt.Errorf("read a stored event: %w", err)
		}
		return match(e), nil
	}
}
