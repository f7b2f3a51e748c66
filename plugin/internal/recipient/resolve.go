package recipient

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/types"
)

// Resolver asks WhatsApp which numbers have an account. The pool implements it
// for one instance with whatsmeow's Client.IsOnWhatsApp.
type Resolver interface {
	// Lookup takes candidates (digits without +) and returns an answer, in any order, for each that
	// the server answered. It sends one query for all of them, bounds the wait by ctx and its own
	// limit, and may answer from a cache.
	Lookup(ctx context.Context, candidates []string) ([]Answer, error)
}

// Answer is the server's answer about one candidate.
type Answer struct {
	Query  string    // the candidate; a leading + and a server part are ignored
	Exists bool      // types.IsOnWhatsAppResponse.IsIn
	JID    types.JID // the account, as its LID or its phone JID
	Phone  types.JID // its number as WhatsApp writes it; may be empty
}

// Resolution is the account that a number belongs to.
type Resolution struct {
	JID   types.JID // where to send
	Phone types.JID // its number as WhatsApp writes it; may be empty
	// Warning is "number_adjusted" or "number_ambiguous", with Message as its text for people;
	// empty when the number was correct as given.
	Warning string
	Message string
}

// ErrNotOnWhatsApp means that no form of the number has an account.
var ErrNotOnWhatsApp = errors.New("the number is not on WhatsApp")

// Resolve finds the account of a recipient. Only a phone number costs a lookup.
func Resolve(ctx context.Context, r Recipient, resolver Resolver) (Resolution, error) {
	candidates := r.Candidates()
	if candidates == nil {
		return Resolution{JID: r.JID()}, nil
	}
	answers, err := resolver.Lookup(ctx, candidates)
	if err != nil {
		return Resolution{}, err
	}
	return Choose(candidates, answers, r.User)
}

// Choose picks the account from the server's answers to candidates. original is the form the caller
// gave; it wins if two forms belong to different accounts. The error is ErrNotOnWhatsApp.
func Choose(candidates []string, answers []Answer, original string) (Resolution, error) {
	var found []Answer
	for _, answer := range answers {
		answer.Query = plain(answer.Query)
		if answer.Exists && !answer.JID.IsEmpty() && slices.Contains(candidates, answer.Query) {
			answer.JID, answer.Phone = answer.JID.ToNonAD(), answer.Phone.ToNonAD()
			if answer.Phone.IsEmpty() && answer.JID.Server == types.DefaultUserServer {
				answer.Phone = answer.JID
			}
			found = append(found, answer)
		}
	}
	if len(found) == 0 {
		return Resolution{}, ErrNotOnWhatsApp
	}
	best := found[0]
	for _, answer := range found[1:] {
		if answer.Query == original {
			best = answer
		}
	}
	res := Resolution{JID: best.JID, Phone: best.Phone}
	written := best.Query
	if best.Phone.User != "" {
		written = best.Phone.User
	}
	switch {
	case slices.ContainsFunc(found, func(a Answer) bool { return !sameAccount(a, best) }):
		res.Warning = "number_ambiguous"
		res.Message = "Two forms of this number are two WhatsApp accounts; the form you gave was used."
	case written != original:
		res.Warning = "number_adjusted"
		res.Message = "WhatsApp knows this number in another form; that form was used."
	}
	return res, nil
}

// sameAccount compares by any address the server gave for both: the server may return one form of a
// number as a LID and the other as a phone JID.
func sameAccount(a, b Answer) bool {
	return a.JID == b.JID || (a.Phone.User != "" && a.Phone == b.Phone)
}

func plain(query string) string {
	user, _, _ := strings.Cut(strings.TrimPrefix(query, "+"), "@")
	return user
}
