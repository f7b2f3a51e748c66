package seed

import (
	"context"
	"net/http"
	"time"
)

// found is a message as the node describes it.
type found struct {
	MessageID string `json:"messageId"`
	Chat      struct {
		JID   string  `json:"jid"`
		LID   *string `json:"lid"`
		Phone *string `json:"phone"`
	} `json:"chat"`
	State     string    `json:"state"`
	CreatedAt time.Time `json:"createdAt"`
	Source    string    `json:"source"`
	History   any       `json:"history"`
	Problem   any       `json:"problem"`
}

// jid is the chat's JID, built from the phone number if that is known.
func (f found) jid() string {
	if f.Chat.Phone != nil {
		return *f.Chat.Phone + "@s.whatsapp.net"
	}
	return f.Chat.JID
}

// Status maps a state of a message to the name that clients know.
func Status(state string) string {
	switch state {
	case "intent":
		return "pending"
	case "unknown":
		return "retry"
	}
	return state
}

func (a *API) message(ctx context.Context, r Request) (found, error) {
	id := r.Query.Get("messageId")
	if id == "" {
		return found{}, refuse(http.StatusBadRequest, "invalid_request", "MessageId is required")
	}
	var out found
	err := a.run(ctx, "whatsapp.message.get@1", map[string]string{"instance": r.Instance, "messageId": id}, &out)
	return out, err
}

// getMessage finds a message that the instance sent.
func (a *API) getMessage(ctx context.Context, r Request) (Answer, error) {
	m, err := a.message(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	chat := map[string]any{"jid": m.jid(), "lid": m.Chat.LID}
	return Answer{Message: "Message found", State: Status(m.State), Members: map[string]any{}, Data: map[string]any{
		"id": m.MessageID, "messageId": m.MessageID, "direction": "outgoing", "status": Status(m.State), "timestamp": m.CreatedAt,
		"chat": chat, "source": m.Source, "history": m.History, "problem": m.Problem,
	}}, nil
}

// messageStatus answers with the status of a message that the instance sent.
func (a *API) messageStatus(ctx context.Context, r Request) (Answer, error) {
	m, err := a.message(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Message: "Message found", State: Status(m.State), Members: map[string]any{
		"message_id": m.MessageID, "direction": "sent", "chat_jid": m.jid(), "timestamp": m.CreatedAt,
	}}, nil
}
