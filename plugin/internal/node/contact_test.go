package node

import (
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/send"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
)

// TestFindContact: finds the account by number and by LID, and refuses what cannot be answered.
func TestFindContact(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	find := func(number string, out *send.Person) error {
		return w.call("whatsapp.contact.find@1", obj{"instance": "shop", "number": number}, out)
	}
	var p send.Person
	w.must(find("+"+anaNumber, &p))
	lid := ana.Account().LID().String()
	if !p.Found || p.JID == nil || *p.JID != anaNumber+"@s.whatsapp.net" || p.LID == nil || *p.LID != lid || p.Phone == nil || *p.Phone != anaNumber {
		t.Errorf("by number: %+v", p)
	}
	byNumber := p
	p = send.Person{}
	w.must(find(lid, &p))
	if !p.Found || *p.JID != *byNumber.JID || *p.LID != lid {
		t.Errorf("by LID: %+v", p)
	}
	for _, unknown := range []string{"5511988887777", "999999999999999@lid"} {
		p = send.Person{}
		w.must(find(unknown, &p))
		if p.Found || p.JID != nil || p.Phone != nil {
			t.Errorf("%s: %+v", unknown, p)
		}
	}
	for number, code := range map[string]string{"12": "invalid_number", "120363041234567890@g.us": "invalid_number"} {
		if p := problemOf(t, find(number, nil)); p.Code != code || p.HTTPStatus != 400 {
			t.Errorf("%q: %+v", number, p)
		}
	}
	w.fault(wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageIQ, Account: shopNumber, Type: "usync"}, Action: wasim.Fault{IQError: &wasim.IQError{Code: 503}}})
	if p := problemOf(t, find("5511977776666", nil)); p.Code != "query_failed" || p.Effect != sdk.EffectNone || !p.Retryable {
		t.Errorf("a refused question: %+v", p)
	}
	if p := problemOf(t, w.call("whatsapp.contact.find@1", obj{"instance": "nobody", "number": anaNumber}, nil)); p.HTTPStatus != 404 {
		t.Errorf("no instance: %+v", p)
	}
}
