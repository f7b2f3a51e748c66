// Package recipient parses the destination of a message.
//
// Parse turns the caller's input (a phone number or a JID) into a Recipient and never guesses: bare
// digits are a phone number, even where they look like a LID or a group id. Candidates and Choose
// decide what only WhatsApp knows: which way of writing a number belongs to an account. The package
// does no I/O; the query itself goes through Resolver.
package recipient

import (
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/internal/typed"
)

// Kind distinguishes destinations.
type Kind string

// The kinds of destination.
const (
	Phone      Kind = "phone"      // a number or …@s.whatsapp.net
	LID        Kind = "lid"        // …@lid, a person whose number is hidden
	Group      Kind = "group"      // …@g.us
	Newsletter Kind = "newsletter" // …@newsletter, a channel
)

// Recipient is a well-formed destination, which need not exist.
type Recipient struct {
	Kind Kind
	// User is the part before the @: digits, or phone-timestamp in old group ids.
	User string
	// Exact says that the caller wrote a JID, so no other form may be tried.
	Exact bool
}

// JID returns the destination in whatsmeow's form, without device and agent.
func (r Recipient) JID() types.JID {
	switch r.Kind {
	case LID:
		return types.NewJID(r.User, types.HiddenUserServer)
	case Group:
		return types.NewJID(r.User, types.GroupServer)
	case Newsletter:
		return types.NewJID(r.User, types.NewsletterServer)
	default:
		return types.NewJID(r.User, types.DefaultUserServer)
	}
}

// CodeInvalidNumber is the code of every Error.
const CodeInvalidNumber = "invalid_number"

// Error describes why a destination is invalid. Its text never repeats the number.
type Error struct {
	Detail     string // what is wrong
	Suggestion string // what to do; may be empty
}

// Error returns the message of the HTTP API.
func (e *Error) Error() string { return "Invalid phone number format: " + e.Detail }

// maxLength bounds the input; the longest JID with device is far below it.
const maxLength = 128

// Parse reads a phone number (country code first; see Dial; a leading + or 00 is dropped, too) or a
// JID on s.whatsapp.net, c.us, lid, g.us or newsletter. Device and agent parts and invisible
// characters are dropped. The error is an *Error.
func Parse(number string) (Recipient, error) {
	number = strings.TrimSpace(typed.Clean(number))
	switch {
	case number == "":
		return Recipient{}, &Error{Detail: "it is empty"}
	case len(number) > maxLength:
		return Recipient{}, &Error{Detail: "it is too long"}
	case strings.Contains(number, "@"):
		return parseJID(number)
	default:
		return parsePhone(number)
	}
}

func parseJID(jid string) (Recipient, error) {
	user, server, _ := strings.Cut(jid, "@")
	server = strings.ToLower(server)
	kind, ok := kinds[server]
	if !ok {
		return Recipient{}, &Error{
			Detail:     "unknown server after the @",
			Suggestion: "use a phone number or a JID ending in @s.whatsapp.net, @lid, @g.us or @newsletter",
		}
	}
	user = strings.TrimPrefix(bare(user), "+")
	if !validUser(kind, user) {
		return Recipient{}, &Error{
			Detail:     "the part before @" + server + " is not an id of that kind",
			Suggestion: examples[kind],
		}
	}
	return Recipient{Kind: kind, User: user, Exact: true}, nil
}

var kinds = map[string]Kind{
	types.DefaultUserServer: Phone,
	types.LegacyUserServer:  Phone,
	types.HiddenUserServer:  LID,
	types.GroupServer:       Group,
	types.NewsletterServer:  Newsletter,
}

var examples = map[Kind]string{
	Phone:      "write 5511999999999@s.whatsapp.net",
	LID:        "write 123456789012345@lid",
	Group:      "write 120363041234567890@g.us",
	Newsletter: "write 120363041234567890@newsletter",
}

// bare drops ".agent" and ":device", which identify one device of an account.
func bare(user string) string {
	if i := strings.IndexAny(user, ".:"); i >= 0 && digits(strings.NewReplacer(".", "", ":", "").Replace(user[i:])) {
		return user[:i]
	}
	return user
}

func validUser(kind Kind, user string) bool {
	switch kind {
	case Phone:
		return digits(user) && len(user) >= minDigits && len(user) <= maxDigits && user[0] != '0'
	case Group:
		creator, created, old := strings.Cut(user, "-")
		return digits(creator) && len(user) <= maxID && (!old || digits(created))
	default:
		return digits(user) && len(user) <= maxID
	}
}

// Lengths in digits: phone numbers as in E.164; ids with room beyond those in use (18, and 15-10
// for old groups).
const (
	minDigits = 7
	maxDigits = 15
	maxID     = 32
)

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Chat identifies a conversation by one or both of its addresses. A person has a phone JID and a
// LID; a group or a channel has only a JID.
type Chat struct {
	JID string // phone JID, group JID, …; "" when unknown
	LID string // @lid JID; "" when unknown
}

// ChatOf returns the conversation with the given addresses, each without its device.
func ChatOf(forms ...types.JID) Chat {
	var c Chat
	for _, jid := range forms {
		switch {
		case jid.IsEmpty():
		case jid.Server == types.HiddenUserServer:
			c.LID = jid.ToNonAD().String()
		default:
			c.JID = jid.ToNonAD().String()
		}
	}
	return c
}

// Addressee returns the address a message goes to: the LID if it is known, because WhatsApp keeps
// the chat under it.
func (c Chat) Addressee() (types.JID, error) {
	s := c.LID
	if s == "" {
		s = c.JID
	}
	jid, err := types.ParseJID(s)
	if err != nil {
		return jid, fmt.Errorf("read the stored chat: %w", err)
	}
	return jid, nil
}

// Person reports whether the chat is with one person.
func (c Chat) Person() bool {
	return c.LID != "" || strings.HasSuffix(c.JID, "@"+types.DefaultUserServer)
}

// Phone returns the person's number in digits, or "" if it is not known.
func (c Chat) Phone() string {
	jid, err := types.ParseJID(c.JID)
	if err != nil || jid.Server != types.DefaultUserServer {
		return ""
	}
	return jid.User
}
