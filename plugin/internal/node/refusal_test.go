package node

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

func TestRefusedBeforeAnythingLeaves(t *testing.T) {
	t.Parallel()
	w, _ := shop(t, wasim.Options{})
	w.must(w.call("whatsapp.instance.create@1", named{"idle"}, nil))
	with := func(changes obj) obj {
		m := menuTo(anaNumber)
		for k, v := range changes {
			m[k] = v
		}
		return m
	}
	for _, c := range []struct {
		name    string
		input   obj
		status  int
		code    string
		message string
	}{
		{"nothing given", obj{}, 400, "instance_required", "Instance name is required"},
		{"no number", with(obj{"number": ""}), 400, "number_required", "Number is required"},
		{"four buttons", with(obj{"buttons": []obj{{"id": "1", "displayText": "1"}, {"id": "2", "displayText": "2"}, {"id": "3", "displayText": "3"}, {"id": "4", "displayText": "4"}}}),
			400, "too_many_buttons", "Maximum of 3 buttons allowed"},
		{"a bad type", with(obj{"buttons": []obj{{"id": "1", "displayText": "1", "type": "LINK"}}}),
			400, "button_type_invalid", "Button 1: Type must be one of: REPLY, URL, CALL, COPY"},
		{"a malformed number", with(obj{"number": "12ab"}), 400, "invalid_number", "Invalid phone number format: it contains more than digits"},
		{"nobody's number", with(obj{"number": "5511977770000"}), 400, "invalid_number", "Invalid phone number format: the number is not on WhatsApp"},
		{"an unknown quote", with(obj{"replyTo": "3EB0AA"}), 400, "invalid_request", "ReplyTo: the message is not known to this instance"},
		{"an unknown instance", with(obj{"instance": "nobody"}), 404, "not_found", "Instance not found"},
		{"an unpaired instance", with(obj{"instance": "idle"}), 503, "disconnected", "Instance is not connected to WhatsApp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := problemOf(t, w.call(send.OpButtons, c.input, nil))
			if p.HTTPStatus != c.status || p.Code != c.code || p.Message != c.message || p.Effect != sdk.EffectNone {
				t.Errorf("got %d %s %q (effect %s), want %d %s %q", p.HTTPStatus, p.Code, p.Message, p.Effect, c.status, c.code, c.message)
			}
		})
	}
	if sent := w.sim.Stanzas(func(s wasim.Stanza) bool { return s.Direction == wasim.In && s.Node.Tag == "message" }); len(sent) != 0 {
		t.Errorf("%d messages left", len(sent))
	}
}

func TestRefusedByWhatsApp(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	w.writes(ana, "hello") // so that no pause of new contacts applies
	for code, r := range send.Refusals {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			w.fault(wasim.FaultRule{Match: toAna, Times: 1, Action: wasim.Fault{AckError: &wasim.AckError{Code: code}}})
			req := client.Request{Operation: send.OpText, Input: raw(t, obj{"instance": "shop", "number": anaNumber, "contentText": "hi"}), Key: fmt.Sprint(code)}
			p := problemOf(t, w.execute(req, nil))
			if p.Code != "send_failed" || p.HTTPStatus != 500 || p.Effect != sdk.EffectNone || p.Fault != r.Fault || p.Retryable != (r.Retry > 0) ||
				p.Message != "Failed to send text message: "+r.String() {
				t.Errorf("problem = %+v", p)
			}
			err := w.execute(req, nil) // the fault no longer applies
			if p.Retryable {
				w.must(err)
			} else if again := problemOf(t, err); again.Message != p.Message {
				t.Errorf("the repeat failed with %q", again.Message)
			}
		})
	}
	for _, m := range ana.Inbox() {
		if m.Copies != 1 {
			t.Errorf("Ana saw %s %d times", m.ID, m.Copies)
		}
	}
}

func TestDryRunSendsNothing(t *testing.T) {
	t.Parallel()
	w, _ := shop(t, wasim.Options{})
	var p buttons.Preview
	w.must(w.execute(client.Request{Operation: send.OpButtons, Input: raw(t, menuTo(anaNumber)), DryRun: true}, &p))
	if p.To != anaNumber+"@s.whatsapp.net" || p.Body != "How can we help?" || len(p.Buttons) != 2 || !strings.Contains(p.Text, "1. Talk to sales") {
		t.Errorf("preview = %+v", p)
	}
	if sent := w.sim.Stanzas(func(s wasim.Stanza) bool { return s.Direction == wasim.In && s.Node.Tag == "message" }); len(sent) != 0 {
		t.Errorf("%d messages left", len(sent))
	}
}
