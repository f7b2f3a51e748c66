package send

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/sdk"
)

// Output is the answer of both send operations.
type Output struct {
	MessageID   string     `json:"messageId"`
	Content     string     `json:"content"`
	MessageType string     `json:"messageType"`
	RenderedAs  string     `json:"renderedAs,omitempty"`
	Status      string     `json:"status"`
	Instance    string     `json:"instance"`
	Chat        outputChat `json:"chat"`
	SentAt      time.Time  `json:"sentAt"`
	ReplyTo     *quotedID  `json:"replyTo,omitempty"`
	Source      string     `json:"source,omitempty"`
}

type outputChat struct {
	JID   string  `json:"jid"`
	LID   *string `json:"lid"`
	Phone *string `json:"phone"`
}

type quotedID struct {
	MessageID string `json:"messageId"`
}

// failure is a final outcome in the ledger.
type failure struct {
	Problem *sdk.Problem `json:"problem"`
	Ack     int          `json:"ack"` // the code of WhatsApp's refusal
}

// refusedError is the error of a message that WhatsApp refused for good.
type refusedError struct {
	*sdk.Problem
	ack int
}

// Unwrap lets the sdk find the Problem.
func (e *refusedError) Unwrap() error { return e.Problem }

// answer returns the output for a message that arrived at the server.
func (o order) answer(id string, chat recipient.Chat, went types.JID, at time.Time) (sdk.JSON, error) {
	out := o.output
	out.MessageID, out.Status, out.Instance, out.SentAt = id, "sent", o.instance, at.UTC()
	out.Chat = outputChat{JID: went.ToNonAD().String(), LID: text(chat.LID), Phone: text(chat.Phone())}
	body, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode the output: %w", err)
	}
	return body, nil
}

// replay returns the stored outcome.
func replay(e ledger.Entry, o order) (sdk.JSON, error) {
	if e.State == ledger.Failed {
		var f failure
		if err := json.Unmarshal(e.Outcome, &f); err != nil || f.Problem == nil {
			return nil, fmt.Errorf("read the stored failure: %w", err)
		}
		return nil, &refusedError{Problem: f.Problem, ack: f.Ack}
	}
	if len(e.Outcome) > 0 {
		return sdk.JSON(e.Outcome), nil
	}
	to, err := e.Chat.Addressee() // WhatsApp did not answer, but a receipt proved the delivery
	if err != nil {
		return nil, err
	}
	return o.answer(e.MessageID, e.Chat, to, e.UpdatedAt)
}

// fingerprint distinguishes requests under the same key.
func fingerprint(request any) (string, error) {
	b, err := json.Marshal(request)
	if err != nil {
		return "", fmt.Errorf("fingerprint the request: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16]), nil
}

func quoted(id string) *quotedID {
	if id == "" {
		return nil
	}
	return &quotedID{MessageID: id}
}

// text returns nil for an unknown value.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// sentAsText is the warning for a menu whose buttons WhatsApp refused.
func sentAsText(ack int) sdk.Warning {
	return sdk.Warning{Pointer: "/buttons", Code: "sent_as_text",
		Message: fmt.Sprintf("WhatsApp refused the buttons (%d); the menu went out as numbered text.", ack)}
}

// warnPartial adds the warning that some of the recipient's devices do not have the message yet,
// for the caller and for the stored warnings.
func warnPartial(call *sdk.Call, stored []byte, ack pool.Ack) ([]byte, error) {
	var all []sdk.Warning
	if stored != nil {
		if err := json.Unmarshal(stored, &all); err != nil {
			return nil, fmt.Errorf("read the stored warnings: %w", err)
		}
	}
	w := sdk.Warning{Pointer: "/number", Code: "partly_sent", Message: fmt.Sprintf(
		"WhatsApp gave no keys for %d of the recipient's %d devices; they get the message later.", ack.Missed, ack.Devices)}
	call.Warn(w)
	return marshalWarnings(append(all, w))
}

// warn records a warning for the caller and for the ledger.
func (o *order) warn(call *sdk.Call, w sdk.Warning) {
	call.Warn(w)
	o.warnings = append(o.warnings, w)
}

// warnAgain gives a repeated call those warnings of the first call that do not follow from the
// request alone.
func (o order) warnAgain(call *sdk.Call, e ledger.Entry) error {
	if e.Warnings == nil {
		return nil
	}
	var stored []sdk.Warning
	if err := json.Unmarshal(e.Warnings, &stored); err != nil {
		return fmt.Errorf("read the stored warnings: %w", err)
	}
	for _, w := range stored {
		if !slices.Contains(o.warnings, w) {
			call.Warn(w)
		}
	}
	return nil
}

// marshalWarnings returns nil for an empty list.
func marshalWarnings(list []sdk.Warning) ([]byte, error) {
	if len(list) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("encode the warnings: %w", err)
	}
	return b, nil
}
