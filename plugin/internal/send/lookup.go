package send

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/sdk"
)

// Query identifies a sent message by its id or its idempotency key.
type Query struct {
	Instance  string `json:"instance"`
	MessageID string `json:"messageId"`
	Key       string `json:"key"`
}

// Sent is whatsapp.message.get.output.json.
type Sent struct {
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

// LookUp returns which states a sent message reached, when, and why it failed if it did. The error
// is an [sdk.Problem].
func (s *Sender) LookUp(ctx context.Context, q Query) (Sent, error) {
	if (q.MessageID == "") == (q.Key == "") {
		return Sent{}, problem.Invalid("", "Give messageId or key, one of them", "messageId is in the answer of the send")
	}
	e, err := s.entry(ctx, q)
	if errors.Is(err, sqldb.ErrNotFound) {
		return Sent{}, problem.New(http.StatusNotFound, "message_not_found", sdk.FaultCaller, "Message not found: this instance did not send it, or its time in the ledger is over")
	}
	if err != nil {
		return Sent{}, problem.Storage(err)
	}
	m, err := s.describeSent(ctx, e)
	if err != nil {
		return Sent{}, problem.Storage(err)
	}
	return m, nil
}

// entry finds the ledger's row. For a key it prefers the message that was accepted: the text over
// the refused buttons it replaced.
func (s *Sender) entry(ctx context.Context, q Query) (ledger.Entry, error) {
	if q.MessageID != "" {
		return s.Store.Ledger.SentMessage(ctx, q.Instance, q.MessageID)
	}
	for _, scope := range []string{scopeFallback, OpButtons, OpText} {
		e, err := s.Store.Ledger.Lookup(ctx, scope, q.Instance, q.Key)
		if !errors.Is(err, sqldb.ErrNotFound) {
			return e, err
		}
	}
	return ledger.Entry{}, sqldb.ErrNotFound
}

func (s *Sender) describeSent(ctx context.Context, e ledger.Entry) (Sent, error) {
	m := Sent{
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
	if e.State == ledger.Failed {
		if m.Problem, err = whyFailed(e); err != nil {
			return m, err
		}
	}
	switch e.Operation {
	case scopeFallback:
		m.Replaces, err = s.other(ctx, e, OpButtons)
	case OpButtons:
		m.ReplacedBy, err = s.other(ctx, e, scopeFallback)
	}
	if err != nil {
		return m, err
	}
	members, err := s.Store.Ledger.Members(ctx, e.Instance, e.MessageID)
	for _, r := range members {
		m.Recipients = append(m.Recipients, memberState{r.JID, r.State.String(), moment(r.DeliveredAt), moment(r.ReadAt)})
	}
	return m, err
}

// other returns the message that the same call sent in another form, if there is one.
func (s *Sender) other(ctx context.Context, e ledger.Entry, scope string) (*string, error) {
	o, err := s.Store.Ledger.Lookup(ctx, scope, e.Instance, e.Key)
	if errors.Is(err, sqldb.ErrNotFound) {
		return nil, nil
	}
	return text(o.MessageID), err
}

// moment returns nil for an unknown time.
func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
