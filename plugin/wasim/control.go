package wasim

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim/internal/faults"
	"github.com/tapnode/tapnode/plugin/wasim/internal/jsonapi"
)

// ControlPath is where the control API lives on the server's address. GET on it lists the endpoints.
const ControlPath = "/sim/v1/"

// actionTimeout bounds what a phone does for a request.
const actionTimeout = 30 * time.Second

// controlHandler is the control API: everything a person or a script without Go needs to play the customers.
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

// asProblem finds the status for an error of this package; others stay as they are.
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

// account finds the account that a path names.
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
