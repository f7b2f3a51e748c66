package buttons

import (
	"errors"
	"fmt"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
)

// Menu holds the rules for the clicks that a menu accepts. The zero value accepts all.
type Menu struct {
	ExpiresIn      *int     // seconds after it was sent; nil: no expiry while the menu is stored
	Policy         Policy   // empty is TakeAll
	AllowedSenders []string // phone numbers or JIDs of people; none: everybody
}

// Policy says how many clicks a menu accepts.
type Policy string

// The policies.
const (
	TakeAll           Policy = "all"
	TakeFirst         Policy = "first"         // only the first click
	TakeOncePerPerson Policy = "oncePerPerson" // one click per person
)

func (m *Menu) read(o *jsonstrict.Object) {
	o.OptionalInt("expiresIn", &m.ExpiresIn)
	o.String("policy", (*string)(&m.Policy))
	o.Strings("allowedSenders", &m.AllowedSenders)
}

func (c *check) menu(m Menu) {
	if m.ExpiresIn != nil && (*m.ExpiresIn < 1 || *m.ExpiresIn > maxExpiry) {
		c.refuse("/menu/expiresIn", fmt.Sprintf("Menu: ExpiresIn must be between 1 and %d seconds", maxExpiry), "expiresIn is in seconds, at most 90 days; leave it out for as long as menus are kept")
	}
	switch m.Policy {
	case "", TakeAll, TakeFirst, TakeOncePerPerson:
	default:
		c.refuse("/menu/policy", "Menu: Policy must be one of: all, first, oncePerPerson", "leave it out for all")
	}
	if n := len(m.AllowedSenders); n > maxAllowed {
		c.refuse("/menu/allowedSenders", fmt.Sprintf("Menu: AllowedSenders has %d entries, more than %d", n, maxAllowed), "leave it out for everybody")
		return
	}
	for i, sender := range m.AllowedSenders {
		if detail, suggestion := notAPerson(sender); detail != "" {
			c.refuse(fmt.Sprintf("/menu/allowedSenders/%d", i), fmt.Sprintf("Menu: AllowedSender %d: %s", i+1, detail), suggestion)
		}
	}
}

// notAPerson explains why an address is not a person's; both results are empty if it is.
func notAPerson(address string) (detail, suggestion string) {
	who, err := recipient.Parse(address)
	var invalid *recipient.Error
	switch {
	case errors.As(err, &invalid):
		return invalid.Detail, invalid.Suggestion
	case who.Kind == recipient.Group || who.Kind == recipient.Newsletter:
		return "it is not a person", "name the people by phone number or …@lid"
	}
	return "", ""
}
