package seed

import (
	"context"
	"net/http"
)

// person is a person on WhatsApp as the node describes them.
type person struct {
	Found bool    `json:"found"`
	JID   *string `json:"jid"`
	LID   *string `json:"lid"`
	Phone *string `json:"phone"`
}

func (a *API) person(ctx context.Context, instance, number string) (out person, err error) {
	err = a.run(ctx, "whatsapp.contact.find@1", map[string]string{"instance": instance, "number": number}, &out)
	return out, err
}

// contacts looks up whether a number is on WhatsApp. The host has no list of contacts.
func (a *API) contacts(ctx context.Context, r Request) (Answer, error) {
	number := r.Query.Get("number")
	if number == "" {
		if err := a.Exists(ctx, r.Instance); err != nil {
			return Answer{}, err
		}
		return Answer{}, refuse(http.StatusNotImplemented, "not_implemented", "No list of contacts is kept here; give number")
	}
	who, err := a.person(ctx, r.Instance, number)
	if err != nil {
		return Answer{}, err
	}
	contact := map[string]any{"found": who.Found, "jid": who.JID, "lid": who.LID, "phoneNumber": who.Phone}
	return Answer{Message: "Contact looked up", Members: map[string]any{"contact": contact}, Data: contact}, nil
}

// account answers with the WhatsApp account of a number or, without one, with what is known of the
// instance's own account without a request to WhatsApp. It never has a picture.
func (a *API) account(ctx context.Context, r Request) (Answer, error) {
	profile := map[string]any{"name": "", "profilePicture": nil}
	if number := r.Query.Get("number"); number != "" {
		who, err := a.person(ctx, r.Instance, number)
		if err != nil {
			return Answer{}, err
		}
		if !who.Found {
			return Answer{}, refuse(http.StatusNotFound, "not_found", "The number is not on WhatsApp")
		}
		profile["jid"], profile["phoneNumber"], profile["lid"] = who.JID, who.Phone, who.LID
	} else {
		found, err := a.all(ctx, r.Instance)
		if err != nil {
			return Answer{}, err
		}
		shown := found[0].shown("")
		profile["jid"], profile["phoneNumber"], profile["lid"], profile["name"] = shown.NumberJID, found[0].Phone, shown.LID, shown.Profile.Name
	}
	return Answer{Message: "Account found", Members: map[string]any{"profile": profile}, Data: profile}, nil
}
