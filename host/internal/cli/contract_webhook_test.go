package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// posted records the calls that a web service receives.
type posted struct {
	*httptest.Server
	calls chan postedCall
}

type postedCall struct {
	answered
	path   string
	header http.Header
}

// takePosts starts such a web service; answer returns the status for each call.
func takePosts(t *testing.T, answer func(c postedCall) int) *posted {
	t.Helper()
	p := &posted{calls: make(chan postedCall, 1000)}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		c := postedCall{answered{status: 200, raw: string(raw)}, r.URL.RequestURI(), r.Header}
		if err == nil {
			err = json.Unmarshal(raw, &c.body)
		}
		if err != nil {
			t.Errorf("a call of a webhook: %v in %s", err, raw)
		}
		w.WriteHeader(answer(c))
		p.calls <- c
	}))
	t.Cleanup(p.Close)
	return p
}

// next returns the next call whose event has a name and that fits.
func (p *posted) next(t *testing.T, event string, fits func(postedCall) bool) postedCall {
	t.Helper()
	for {
		select {
		case c := <-p.calls:
			if c.at("event") == event && (fits == nil || fits(c)) {
				return c
			}
		case <-t.Context().Done():
			t.Fatalf("no %s came", event)
		}
	}
}

// TestContractWebhooks: calls of the seed's webhooks have the fields that its clients read.
func TestContractWebhooks(t *testing.T) {
	t.Parallel()
	contractWebhooks(t, serveSimulated(t))
}

func TestContractWebhooksOnPostgres(t *testing.T) {
	t.Parallel()
	contractWebhooks(t, serveSimulated(t, "--database", sqldbtest.Postgres(t)))
}

func contractWebhooks(t *testing.T, s *served) {
	s.until(t, `wait.armed +ask`)
	token, _ := s.ask(t, s.token, "GET", "/api/instance/list?instanceName=demo", "").at("instances.0.token").(string)
	var before sync.Map
	flaky := takePosts(t, func(c postedCall) int { // it accepts each event at the second call
		if _, again := before.LoadOrStore(c.at("id"), true); !again {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	byEvents := takePosts(t, func(postedCall) int { return http.StatusAccepted })
	const set = "/api/events/webhook/demo"
	s.ask(t, token, "POST", set, `{"label":"crm","enabled":true,"url":"`+flaky.URL+`/in?secret=1","authorization":"Bearer 0123456789abcdef","events":["message.status","message.exchange"]}`).wants(t, 200, "!warnings")
	s.ask(t, token, "POST", set, `{"label":"each","enabled":true,"url":"`+byEvents.URL+`/hook?secret=2","byEvents":true,"events":[]}`).wants(t, 200, "!warnings")

	sent := s.ask(t, token, "POST", endpoint+"demo", menuTo)
	id, _ := sent.at("messageId").(string)
	mine := func(c postedCall) bool { return c.at("data.id") == id }
	out := flaky.next(t, "message.exchange", mine)
	out.wants(t, 200, "data.direction=outgoing", "data.timestamp", "data.chat.jid=5511999990001@s.whatsapp.net", "data.chat.type=private", "data.message.source=crm", "data.message.type=buttons",
		"data.message.content=How can we help?", "data.sender.jid=5511300000000@s.whatsapp.net", "data.sender.lid~@lid", "instanceData.instance=demo", "!instanceData.token")
	if h := out.header; h.Get("Authorization") != "Bearer 0123456789abcdef" || h.Get("Content-Type") != "application/json" || out.path != "/in?secret=1" || h.Get("webhook-id") != out.at("id") {
		t.Errorf("called %s with %v", out.path, h)
	}
	again := flaky.next(t, "message.exchange", mine)
	if again.raw != out.raw {
		t.Errorf("the second call had %s, the first %s", again.raw, out.raw)
	}
	var states []string
	for !slices.Contains(states, "delivered") {
		c := flaky.next(t, "message.status", func(c postedCall) bool { return c.at("data.messageIds.0") == id })
		c.wants(t, 200, "data.timestamp", "data.isFromMe=true", "data.chat.jid=5511999990001@s.whatsapp.net", "data.source=crm", "!data.messageId")
		states = append(states, c.at("data.status").(string))
	}
	said := s.ask(t, token, "POST", "/api/message/text/demo", `{"number":"5511999990001","message":"Just a moment"}`)
	flaky.next(t, "message.exchange", func(c postedCall) bool { return c.at("data.id") == said.at("messageId") }).wants(t, 200, "data.direction=outgoing",
		"data.message.type=text", "data.message.content=Just a moment", "data.message.source=api", "data.chat.jid=5511999990001@s.whatsapp.net", "data.sender.jid=5511300000000@s.whatsapp.net")
	s.ask(t, "", "POST", "/sim/v1/phones/5511999990001/click?wait=10s", `{"buttonId":"a1"}`)
	incoming := func(c postedCall) bool { return c.at("data.direction") == "incoming" }
	flaky.next(t, "message.exchange", incoming).wants(t, 200, "data.message.type=buttons_response", "data.message.interactive.selectedButtonId=a1", "data.message.interactive.title=Talk to sales",
		"data.button_response.selected_button_id=a1", "data.reply.message_id="+id)
	if c := byEvents.next(t, "message.exchange", incoming); c.path != "/hook/message.exchange?secret=2" || c.header.Get("Authorization") != "" {
		t.Errorf("called %s with %v", c.path, c.header)
	}
	s.ask(t, token, "DELETE", "/api/instance/logout/demo", "").wants(t, 200)
	state := byEvents.next(t, "instance.state", func(c postedCall) bool { return c.at("data.state") == "logged_out" })
	state.wants(t, 200, "data.status=loggedout", "data.instance=demo", "instanceData.instance=demo", "!instanceData.token")
	if state.path != "/hook/instance.state?secret=2" {
		t.Errorf("called %s", state.path)
	}
	s.ask(t, s.token, "DELETE", "/api/instance/delete/demo", "").wants(t, 200)
	s.ask(t, s.token, "POST", "/api/instance/new", `{"name":"demo"}`).wants(t, 201)
	s.ask(t, s.token, "GET", set, "").wants(t, 200, "webhooks=[]")
}
