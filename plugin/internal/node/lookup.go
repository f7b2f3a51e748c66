package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk"
)

// messageQuery names a sent message by one of its two names.
type messageQuery struct {
	Instance  string `json:"instance"`
	MessageID string `json:"messageId"`
	Key       string `json:"key"`
}

// sentMessage is whatsapp.message.get.output.json.
type sentMessage struct {
	Instance    string         `json:"instance"`
	MessageID   string         `json:"messageId"`
	Operation   string         `json:"operation"`
	Chat        outputChat     `json:"chat"`
	State       string         `json:"state"`
	CreatedAt   time.Time      `json:"createdAt"`
	History     []reached      `json:"history"`
	Recipients  []memberState  `json:"recipients"`
	Warnings    []sdk.Warning  `json:"warnings"`
	Problem     *statusProblem `json:"problem"`
	Replaces    *string        `json:"replaces"`
	ReplacedBy  *string        `json:"replacedBy"`
	Source      string         `json:"source"`
	Correlation string         `json:"correlation"`
}

type reached struct {
	State string    `json:"state"`
	At    time.Time `json:"at"`
}

type memberState struct {
	JID         string     `json:"jid"`
	State       string     `json:"state"`
	DeliveredAt *time.Time `json:"deliveredAt"`
	ReadAt      *time.Time `json:"readAt"`
}

func (n *node) getMessage() sdk.Offer {
	return sdk.Operation[messageQuery, sentMessage]{
		ID: "whatsapp.message.get@1", Title: "Look a message up", Icon: "search",
		Summary: "How far a sent message came, when, and why not further.", Replay: sdk.Pure,
		Input: schemas.Read(schemas.MessageGetInput), Output: schemas.Read(schemas.MessageGetOutput),
		Run: func(ctx context.Context, _ *sdk.Call, q messageQuery) (sentMessage, error) {
			return n.process.Load().lookUp(ctx, q)
		},
	}
}

func (p *process) lookUp(ctx context.Context, q messageQuery) (sentMessage, error) {
	if (q.MessageID == "") == (q.Key == "") {
		return sentMessage{}, invalid("", "Give messageId or key, one of them", "messageId is in the answer of the send")
	}
	e, err := p.entry(ctx, q)
	if errors.Is(err, store.ErrNotFound) {
		return sentMessage{}, problem(http.StatusNotFound, "message_not_found", sdk.FaultCaller, "Message not found: this instance did not send it, or its time in the ledger is over")
	}
	if err != nil {
		return sentMessage{}, storeProblem(err)
	}
	m, err := p.describeSent(ctx, e)
	if err != nil {
		return sentMessage{}, storeProblem(err)
	}
	return m, nil
}

// entry finds the ledger's row. Of a key it finds the message that went out: the text
// before the refused buttons it replaced.
func (p *process) entry(ctx context.Context, q messageQuery) (store.Entry, error) {
	if q.MessageID != "" {
		return p.store.SentMessage(ctx, q.Instance, q.MessageID)
	}
	for _, scope := range []string{scopeFallback, opSendButtons, opSendText} {
		e, err := p.store.Lookup(ctx, scope, q.Key)
		if err == nil && e.Instance == q.Instance {
			return e, nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return e, err
		}
	}
	return store.Entry{}, store.ErrNotFound
}

func (p *process) describeSent(ctx context.Context, e store.Entry) (sentMessage, error) {
	m := sentMessage{
		Instance: e.Instance, MessageID: e.MessageID, Operation: operationOf(e), Chat: chatNames(e.Chat), State: e.State.String(),
		CreatedAt: e.CreatedAt, Recipients: []memberState{}, Warnings: []sdk.Warning{}, Source: e.Source, Correlation: e.Correlation,
	}
	for _, s := range e.History() {
		m.History = append(m.History, reached{s.State.String(), s.At})
	}
	if e.Warnings != nil {
		if err := json.Unmarshal(e.Warnings, &m.Warnings); err != nil {
			return m, fmt.Errorf("read the stored warnings: %w", err)
		}
	}
	var err error
	if e.State == store.Failed {
		if m.Problem, err = whyFailed(e); err != nil {
			return m, err
		}
	}
	switch e.Operation {
	case scopeFallback:
		m.Replaces, err = p.other(ctx, e, opSendButtons)
	case opSendButtons:
		m.ReplacedBy, err = p.other(ctx, e, scopeFallback)
	}
	if err != nil {
		return m, err
	}
	members, err := p.store.Members(ctx, e.Instance, e.MessageID)
	for _, r := range members {
		m.Recipients = append(m.Recipients, memberState{r.JID, r.State.String(), moment(r.DeliveredAt), moment(r.ReadAt)})
	}
	return m, err
}

// other is the message that the same call sent in another form, if it did.
func (p *process) other(ctx context.Context, e store.Entry, scope string) (*string, error) {
	o, err := p.store.Lookup(ctx, scope, e.Key)
	if errors.Is(err, store.ErrNotFound) || err == nil && o.Instance != e.Instance {
		return nil, nil
	}
	return text(o.MessageID), err
}

// moment is nil for a time that is not known.
func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
