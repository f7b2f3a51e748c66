package node

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/store"
)

// typeStatus is the event that a message of ours came a step further.
const typeStatus = "whatsapp.message.status.v1"

// messageStatus is the data of whatsapp.message.status.v1; the schema of that name
// describes every member.
type messageStatus struct {
	Instance    string         `json:"instance"`
	MessageID   string         `json:"messageId"`
	Operation   string         `json:"operation"`
	Chat        outputChat     `json:"chat"`
	From        string         `json:"from"`
	To          string         `json:"to"`
	At          time.Time      `json:"at"`
	Recipient   *outputChat    `json:"recipient"`
	Source      string         `json:"source"`
	Correlation string         `json:"correlation"`
	Problem     *statusProblem `json:"problem"`
}

// statusProblem is why a message failed, and what to do.
type statusProblem struct {
	Code     string `json:"code"`
	Ack      int    `json:"ack"` // the number WhatsApp refused with; 0: none
	Message  string `json:"message"`
	NextStep string `json:"nextStep"`
}

// statusEvent is store.Options.Status. The event answers no call: its correlation is
// in the data only, so that it can start a flow and never takes a waiting menu's exit.
func statusEvent(c store.Change) (store.Event, error) {
	e := c.Entry
	s := messageStatus{
		Instance: e.Instance, MessageID: e.MessageID, Operation: operationOf(e), Chat: chatNames(e.Chat),
		From: c.From.String(), To: c.To.String(), At: c.At.UTC(), Source: e.Source, Correlation: e.Correlation,
	}
	if c.Member != "" {
		member, err := types.ParseJID(c.Member)
		if err != nil {
			return store.Event{}, fmt.Errorf("read the stored member: %w", err)
		}
		names := chatNames(chatOf(member))
		s.Recipient = &names
	}
	if c.To == store.Failed {
		var err error
		if s.Problem, err = whyFailed(e); err != nil {
			return store.Event{}, err
		}
	}
	data, err := json.Marshal(s)
	if err != nil {
		return store.Event{}, fmt.Errorf("encode the status: %w", err)
	}
	return store.Event{
		ID:   store.EventID(typeStatus, e.Instance, s.To, c.Member, e.MessageID),
		Type: typeStatus, Instance: e.Instance, Subject: e.Instance, Time: c.At, Data: data,
	}, nil
}

// operationOf is the operation that a caller knows.
func operationOf(e store.Entry) string {
	if e.Operation == scopeFallback {
		return opSendButtons
	}
	return e.Operation
}

// whyFailed reads the outcome of a failed send.
func whyFailed(e store.Entry) (*statusProblem, error) {
	var f failure
	if err := json.Unmarshal(e.Outcome, &f); err != nil || f.Problem == nil {
		return nil, fmt.Errorf("read the stored failure: %w", err)
	}
	r, known := refusals[f.Ack]
	if !known {
		r = refusal{code: "refused", next: "look the number up, and do not repeat the same message"}
	}
	return &statusProblem{Code: r.code, Ack: f.Ack, Message: f.Problem.Message, NextStep: r.next}, nil
}

// chatNames are the names of a stored chat: the LID is where WhatsApp keeps it.
func chatNames(c store.Chat) outputChat {
	out := outputChat{JID: c.JID, LID: text(c.LID)}
	if c.LID != "" {
		out.JID = c.LID
	}
	if jid, err := types.ParseJID(c.JID); err == nil && jid.Server == types.DefaultUserServer {
		out.Phone = text(jid.User)
	}
	return out
}

// receiptStates are the receipts that say how far a message came. The others are
// about our own devices, or ask for the message again.
var receiptStates = map[types.ReceiptType]store.State{
	types.ReceiptTypeDelivered: store.Delivered,
	types.ReceiptTypeInactive:  store.Delivered,
	types.ReceiptTypeRead:      store.Read,
	types.ReceiptTypePlayed:    store.Read,
}

// receipt is pool.Options.OnReceipt. It also settles a send whose answer was lost.
func (p *process) receipt(ctx context.Context, i *pool.Instance, r *events.Receipt) error {
	state, ok := receiptStates[r.Type]
	if !ok || r.IsFromMe { // another own device has it, which says nothing about the recipient
		return nil
	}
	told := store.Receipt{MessageIDs: r.MessageIDs, State: state, At: r.Timestamp}
	if r.Chat.Server == types.GroupServer {
		told.Member = p.member(ctx, i, r).ToNonAD().String()
	}
	return p.store.Receipt(ctx, i.Name(), told)
}

// member is who a group's receipt is from, under the one name that tells it from the
// other members: the LID if it is known.
func (p *process) member(ctx context.Context, i *pool.Instance, r *events.Receipt) types.JID {
	for _, jid := range []types.JID{r.Sender, r.SenderAlt} {
		if jid.Server == types.HiddenUserServer {
			return jid
		}
	}
	if cli, err := i.Client(); err == nil {
		if lid, err := cli.Store.LIDs.GetLIDForPN(ctx, r.Sender); err == nil && !lid.IsEmpty() {
			return lid
		}
	}
	return r.Sender
}
