package wasim

import (
	"encoding/json"
	"net/http"
	"strconv"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/plugin/wasim/internal/jsonapi"
)

func (s *Server) newsletterEndpoints() []jsonapi.Endpoint {
	return []jsonapi.Endpoint{
		{Method: "POST", Path: "newsletters", Summary: "make a channel of a number, with numbers that follow it",
			Curl: `$SIM/newsletters -d '{"name":"Offers","owner":"5511900000001","followers":["5511900000002"]}'`, Handle: s.createNewsletter},
		{Method: "POST", Path: "accounts/{number}/passkey", Summary: "answer a passkey request as the owner's browser does; the body is the request",
			Curl: `$SIM/accounts/5511900000001/passkey -d "$REQUEST"`, Handle: s.answerPasskey},
	}
}

func (s *Server) createNewsletter(r *jsonapi.Request) (any, error) {
	var in struct {
		Name      string   `json:"name"`
		Owner     string   `json:"owner"`
		Followers []string `json:"followers"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	owner := s.Account(in.Owner)
	if owner == nil {
		return nil, jsonstrict.Errorf("/owner", "no account has this number")
	}
	followers := make([]*Account, len(in.Followers))
	for i, number := range in.Followers {
		if followers[i] = s.Account(number); followers[i] == nil {
			return nil, jsonstrict.Errorf("/followers/"+strconv.Itoa(i), "no account has this number")
		}
	}
	n, err := s.NewNewsletter(in.Name, owner, followers...)
	if err != nil {
		return nil, err
	}
	return jsonapi.Created{Value: struct {
		JID string `json:"jid"`
	}{n.JID().String()}}, nil
}

func (s *Server) answerPasskey(r *jsonapi.Request) (any, error) {
	a, err := s.pathAccount(r)
	if err != nil {
		return nil, err
	}
	var raw json.RawMessage // the server's own format, which may grow: read as whatsmeow reads it
	if err := r.Decode(&raw); err != nil {
		return nil, err
	}
	var request types.WebAuthnPublicKey
	if err := json.Unmarshal(raw, &request); err != nil {
		return nil, jsonapi.Refuse(http.StatusBadRequest, "not a passkey request: %s", err)
	}
	return a.AnswerPasskey(&request)
}
