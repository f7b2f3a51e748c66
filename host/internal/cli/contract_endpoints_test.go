package cli

import (
	"strconv"
	"testing"
	"time"
)

// seedEndpoints are all requests of the seed's API, for an instance that is not the caller's.
var seedEndpoints = []struct{ method, path string }{
	{"POST", "/api/instance/new"}, {"GET", "/api/instance/list?instanceName=other"}, {"GET", "/api/instance/connect/other"}, {"POST", "/api/instance/reconnect/other"},
	{"DELETE", "/api/instance/logout/other"}, {"DELETE", "/api/instance/delete/other"}, {"POST", "/api/message/button/other"}, {"POST", "/api/message/buttons/other"},
	{"POST", "/api/message/text/other"}, {"GET", "/api/chat/getMessage/other"}, {"GET", "/api/chat/status/other"}, {"GET", "/api/chat/contacts/other"},
	{"GET", "/api/profile/getAccount/other"}, {"POST", "/api/events/webhook/other"}, {"GET", "/api/events/webhook/other"}, {"GET", "/api/events/getWebhook/other"},
	{"POST", "/api/events/websocket/other"}, {"GET", "/api/events/getWebsocket/other"},
}

// seedAbsent are requests that clients of the seed's product make and that are answered with 501 and the reason.
var seedAbsent = []struct{ method, path string }{
	{"POST", "/api/message/media/demo"}, {"POST", "/api/message/list/demo"}, {"POST", "/api/message/pix/demo"}, {"POST", "/api/message/reaction/demo"},
	{"POST", "/api/chat/presence/demo"}, {"POST", "/api/chat/markRead/demo"}, {"POST", "/api/chat/history/demo"}, {"GET", "/api/chat/base64/demo?messageId=1"},
	{"GET", "/api/group/list/demo"}, {"GET", "/api/instance/getsettings/demo"}, {"POST", "/api/instance/settings/demo"}, {"GET", "/api/chat/contacts/demo"},
}

// TestContractEndpoints calls each endpoint without a token, with a wrong one, with another
// instance's and at the limit. It checks the messages at the top level and in error, and the
// headers by which clients wait.
func TestContractEndpoints(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	token, _ := s.ask(t, s.token, "GET", "/api/instance/list?instanceName=demo", "").at("instances.0.token").(string)
	refused := func(message string) []string {
		return []string{"success=false", "message=" + message, "error.message=" + message, "code", "error.code"}
	}
	for _, e := range seedEndpoints {
		s.ask(t, "", e.method, e.path, "").wants(t, 401, refused("Missing token in header")...)
		s.ask(t, "tapi_wrong", e.method, e.path, "").wants(t, 401, refused("Invalid token")...)
		foreign := s.ask(t, token, e.method, e.path, "{}")
		foreign.wants(t, 403, "success=false", "message", "error.message", "code=forbidden")
		if h := foreign.header; h.Get("X-RateLimit-Limit") == "" || h.Get("X-RateLimit-Remaining") == "" || h.Get("X-RateLimit-Reset") == "" {
			t.Errorf("%s %s: headers %v", e.method, e.path, h)
		}
	}
	for _, e := range seedAbsent {
		a := s.ask(t, s.token, e.method, e.path, "{}")
		a.wants(t, 501, "success=false", "code=not_implemented", "message", "error.message")
		if a.at("message") != a.at("error.message") {
			t.Errorf("%s: %s", e.path, a.raw)
		}
	}
	for _, e := range seedEndpoints { // none of them has an effect, whether or not it is admitted
		a := s.ask(t, token, e.method, e.path, "{}")
		for a.status == 403 {
			a = s.ask(t, token, e.method, e.path, "{}")
		}
		a.wants(t, 429, refused("Rate limit exceeded. Try again later.")...)
		if reset, err := strconv.ParseInt(a.header.Get("X-RateLimit-Reset"), 10, 64); err != nil || time.Until(time.Unix(reset, 0)) > 5*time.Minute || a.header.Get("X-RateLimit-Remaining") != "0" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s %s at the limit: headers %v", e.method, e.path, a.header)
		}
	}
}
