package wasim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.mau.fi/whatsmeow/store"

	"github.com/tapnode/tapnode/plugin/wasim/internal/faults"
	"github.com/tapnode/tapnode/plugin/wasim/internal/jsonapi"
)

// ControlPath is the path of the control API on the server's address. GET on it lists the endpoints.
const ControlPath = "/sim/v1/"

// actionTimeout bounds the action that a phone performs for a request.
const actionTimeout = 30 * time.Second

// controlHandler is the control API: everything that a person, or a script in any language, needs to play the customers.
func (s *Server) controlHandler() http.Handler {
	var all []jsonapi.Endpoint
	all = append(all, s.accountEndpoints()...)
	all = append(all, s.newsletterEndpoints()...)
	all = append(all, s.phoneEndpoints()...)
	all = append(all, s.faultEndpoints()...)
	all = append(all, s.recordEndpoints()...)
	for i := range all {
		handle := all[i].Handle
		all[i].Handle = func(r *jsonapi.Request) (any, error) {
			out, err := handle(r)
			return out, asProblem(err)
		}
	}
	return s.tracked(jsonapi.Handler(ControlPath, "WhatsApp simulator: control API", all))
}

// asProblem adds the HTTP status to an error of this package; other errors stay as they are.
func asProblem(err error) error {
	for status, group := range map[int][]error{
		http.StatusBadRequest:         {ErrPhone, ErrQR, ErrCodeShape, ErrNotThisPasskey},
		http.StatusNotFound:           {ErrNoButton},
		http.StatusConflict:           {ErrAccountTaken, ErrQRExpired, ErrNoCode, ErrWrongCode, ErrNoPasskey, ErrLinking, faults.ErrTaken},
		http.StatusTooManyRequests:    {ErrTooMany, faults.ErrTooMany},
		http.StatusServiceUnavailable: {ErrClosed},
		http.StatusGatewayTimeout:     {context.DeadlineExceeded},
	} {
		for _, known := range group {
			if errors.Is(err, known) {
				return jsonapi.Refuse(status, "%s", err)
			}
		}
	}
	return err
}

// pathAccount finds the account that a path names.
func (s *Server) pathAccount(r *jsonapi.Request) (*Account, error) {
	a := s.Account(r.PathValue("number"))
	if a == nil {
		return nil, jsonapi.Refuse(http.StatusNotFound, "no account has this number; POST %saccounts makes one", ControlPath)
	}
	return a, nil
}

// pathPhone finds the phone that a path names.
func (s *Server) pathPhone(r *jsonapi.Request) (*Phone, error) {
	a := s.Account(r.PathValue("number"))
	s.mu.RLock()
	defer s.mu.RUnlock()
	for p := range s.phones {
		if p.account == a {
			return p, nil
		}
	}
	return nil, jsonapi.Refuse(http.StatusNotFound, "no customer phone has this number; POST %sphones makes one", ControlPath)
}

func (s *Server) faultEndpoints() []jsonapi.Endpoint {
	return []jsonapi.Endpoint{
		{Method: "GET", Path: "faults", Summary: "list the fault rules in the order they are asked, with their hits", Curl: "$SIM/faults",
			Handle: func(*jsonapi.Request) (any, error) { return s.Faults(), nil }},
		{Method: "POST", Path: "faults", Summary: "add a fault rule",
			Curl:   `$SIM/faults -d '{"match":{"stage":"message","recipient":"5511900000002"},"times":1,"action":{"ackError":{"code":479}}}'`,
			Handle: s.addFault},
		{Method: "DELETE", Path: "faults/{id}", Summary: "delete a fault rule", Curl: "-X DELETE $SIM/faults/f1", Handle: s.deleteFault},
		{Method: "DELETE", Path: "faults", Summary: "delete all fault rules", Curl: "-X DELETE $SIM/faults",
			Handle: func(*jsonapi.Request) (any, error) { s.ClearFaults(); return nil, nil }},
	}
}

func (s *Server) addFault(r *jsonapi.Request) (any, error) {
	var rule FaultRule
	if err := r.Decode(&rule); err != nil {
		return nil, err
	}
	id, err := s.AddFault(rule)
	if err != nil {
		return nil, err
	}
	return jsonapi.Created{Value: struct {
		ID string `json:"id"`
	}{id}}, nil
}

func (s *Server) deleteFault(r *jsonapi.Request) (any, error) {
	if !s.DeleteFault(r.PathValue("id")) {
		return nil, jsonapi.Refuse(http.StatusNotFound, "no fault rule has this id; GET %sfaults lists them", ControlPath)
	}
	return nil, nil
}

// builtIn is the revision that whatsmeow presents unless store.SetWAVersion is called.
var builtIn = store.GetWAVersion()[2]

// page serves the part of web.whatsapp.com that whatsmeow.GetLatestVersion reads.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	s.pages.Add(1)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, `<!doctype html><title>Simulator</title><script>{"client_revision":%d,"simulated":true}</script>`, s.opts.Revision)
}

// Pages is the number of requests for the page at /.
func (s *Server) Pages() int { return int(s.pages.Load()) }
