package seed

import (
	"context"
	"net/http"

	"github.com/tapnode/tapnode/host/internal/access"
)

// absent are endpoints of the seed's product that its clients call but that do not exist here. They
// answer 501 with an explanation, because clients would take a 404 to mean that the instance does
// not exist.
var absent = []struct {
	pattern, why string
	scope        access.Scope
}{
	{"POST /api/message/media/{instance}", "Files are sent as the header of a message with buttons only: use /api/message/button with mediaUrl and mediaType", access.Send},
	{"POST /api/message/list/{instance}", "Lists are not sent here; use /api/message/button", access.Send},
	{"POST /api/message/pix/{instance}", "Payments are not sent here", access.Send},
	{"POST /api/message/reaction/{instance}", "Reactions are not sent here", access.Send},
	{"POST /api/chat/presence/{instance}", "Typing is shown before a message only: send it with delay", access.Send},
	{"POST /api/chat/markRead/{instance}", "Messages are not marked as read here", access.Send},
	{"POST /api/chat/history/{instance}", "No history of chats is kept here", access.Read},
	{"GET /api/chat/base64/{instance}", "Files of messages are not kept here", access.Read},
	{"GET /api/group/list/{instance}", "Groups are not listed here", access.Read},
	{"GET /api/instance/getsettings/{instance}", "An instance has no settings here", access.Read},
	{"POST /api/instance/settings/{instance}", "An instance has no settings here", access.Manage},
}

func missing() (out []Endpoint) {
	for _, e := range absent {
		out = append(out, Endpoint{Pattern: e.pattern, Scope: e.scope, Answer: func(context.Context, Request) (Answer, error) {
			return Answer{}, refuse(http.StatusNotImplemented, "not_implemented", e.why)
		}})
	}
	return out
}
