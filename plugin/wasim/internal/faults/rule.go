// Package faults decides, by declarative rules, where the simulated server misbehaves.
//
// A rule names a stage of the server, narrows it by account, recipient, message id, type, turn or chance, and says
// what happens instead. Rules are read strictly: a member that is unknown, of the wrong type or without effect at the
// rule's stage is refused with a JSON Pointer. A set holds a bounded number of rules, counts their hits, may be used
// by many goroutines, and costs one atomic load per event while it holds none.
package faults

import (
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// Stage is the point of the server at which a rule is asked.
type Stage string

// The stages. Event.Type at each of them is given in brackets.
const (
	Handshake Stage = "handshake" // a websocket was accepted, before the Noise handshake [empty]
	Login     Stage = "login"     // a client has said who it is [register, login]
	IQ        Stage = "iq"        // a query came in [its xmlns: usync, encrypt, w:m …]
	Message   Stage = "message"   // a message came in, nothing has been answered or relayed [stanza type: text, media …; TypeButtons]
	Delivery  Stage = "delivery"  // a message is about to leave for one device [stanza type]
	Media     Stage = "media"     // an HTTP request for a blob came in [upload, download, delete]
)

// TypeButtons is Match.Type for a message that carries buttons (a <biz> node), beside its stanza type.
const TypeButtons = "buttons"

// Rule is one misbehaviour.
type Rule struct {
	ID     string `json:"id,omitempty"` // chosen by the set when empty
	Match  Match  `json:"match"`
	Times  int    `json:"times,omitempty"` // fires at most so often; 0 is without limit
	Action Action `json:"action"`
}

// Match narrows a rule. A zero member matches everything; those given must all hold.
type Match struct {
	Stage     Stage  `json:"stage"`
	Account   string `json:"account,omitempty"`   // the number whose client this is, digits with or without +
	Recipient string `json:"recipient,omitempty"` // number or group JID a message goes to
	MessageID string `json:"messageId,omitempty"`
	Type      string `json:"type,omitempty"` // see Stage

	// Nth takes only the n-th event that matches all of the above, counted from 1.
	Nth int `json:"nth,omitempty"`
	// Probability, in (0,1), lets chance decide on each matching event; Seed makes the decisions repeatable.
	Probability float64 `json:"probability,omitempty"`
	Seed        uint64  `json:"seed,omitempty"`
}

// Action is what happens at the stage. At least one member is set; several combine (a delay before an error, say).
type Action struct {
	Delay        Duration      `json:"delay,omitempty"`        // wait first, at most a minute; every stage
	AckError     *AckError     `json:"ackError,omitempty"`     // message: refuse in the ack, relay nothing
	DropAck      bool          `json:"dropAck,omitempty"`      // message: relay it, never acknowledge it
	Duplicate    int           `json:"duplicate,omitempty"`    // message, delivery: deliver so many copies more, at most 10
	Reorder      int           `json:"reorder,omitempty"`      // message: hold it back until so many later ones have left, at most 100
	DropDelivery bool          `json:"dropDelivery,omitempty"` // message, delivery: acknowledge it, deliver it to nobody
	Corrupt      bool          `json:"corrupt,omitempty"`      // message, delivery: flip a bit of each ciphertext; media: of the blob
	IQError      *IQError      `json:"iqError,omitempty"`      // iq: refuse
	Drop         bool          `json:"drop,omitempty"`         // iq, login, handshake: never answer
	HTTPStatus   int           `json:"httpStatus,omitempty"`   // media: answer with this status, 400 to 599
	LoginFailure *LoginFailure `json:"loginFailure,omitempty"` // login: <failure>
	StreamError  *StreamError  `json:"streamError,omitempty"`  // iq, message, login: <stream:error>, then close
	Replaced     bool          `json:"replaced,omitempty"`     // iq, message, login: as if the session were opened elsewhere
	Logout       bool          `json:"logout,omitempty"`       // iq, message: the phone unlinks the device
	Disconnect   When          `json:"disconnect,omitempty"`   // every stage: close the connection
}

// When is the side of the stage on which the connection is closed.
type When string

// The sides. After means: once the server has done and answered what the client asked.
const (
	Before When = "before"
	After  When = "after"
)

// AckError is the error attribute of a message ack, for example 479 or 463.
type AckError struct {
	Code int `json:"code"`
}

// IQError is the error of a query, for example 429 rate-overlimit.
type IQError struct {
	Code int    `json:"code"`
	Text string `json:"text,omitempty"`
}

// LoginFailure is a <failure>: 401 logged out, 402 temporary ban (with code and expire), 403 banned, 405 outdated, 503.
type LoginFailure struct {
	Reason  int    `json:"reason"`
	Code    int    `json:"code,omitempty"`
	Expire  int    `json:"expire,omitempty"` // seconds
	Message string `json:"message,omitempty"`
}

// StreamError is the code of a <stream:error>, for example 503 or 516.
type StreamError struct {
	Code int `json:"code"`
}

// Duration is a time span written as in "150ms" or "2s".
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// parse reads one rule. The error is a *jsonstrict.Error with the place of the mistake.
func parse(data []byte) (Rule, error) {
	var r Rule
	if err := jsonstrict.Decode(data, jsonstrict.Limits{Bytes: 1 << 20, Depth: 64}, &r); err != nil {
		return Rule{}, err
	}
	return r, r.Validate()
}

// number brings the ways of writing a phone number together; a JID with a server stays as it is.
func number(s string) string {
	user, server, found := strings.Cut(s, "@")
	if found && server != "s.whatsapp.net" && server != "c.us" {
		return s
	}
	return strings.TrimPrefix(user, "+")
}
