package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/host/internal/api/v1"
)

// All is v1.Sessions's.
func (s doors) All(ctx context.Context) ([]v1.Seated, error) {
	caller, _ := tokenIn(ctx)
	all, err := s.opt.Access.Sessions(ctx, caller)
	var out []v1.Seated
	for _, one := range all {
		out = append(out, seated(one, caller))
	}
	return out, err
}

func seated(one access.Session, caller access.Caller) v1.Seated {
	return v1.Seated{ID: one.Session, Token: one.ID, Name: one.Name, Scopes: one.Scopes, Instances: one.Instances,
		Began: one.Began, Used: one.Used, Until: one.Until, Own: one.Session == caller.Session}
}

// EndOf is v1.Sessions's.
func (s doors) EndOf(ctx context.Context, session string) error {
	caller, _ := tokenIn(ctx)
	ended, err := s.opt.Access.EndOf(ctx, caller, session)
	if err == nil && !ended {
		err = refused(http.StatusNotFound, "not_found", "there is no such session: it is over, or not yours to end")
	}
	if err == nil {
		about(ctx, "session "+session)
	}
	return err
}

// EndOthers is v1.Sessions's.
func (s doors) EndOthers(ctx context.Context) (int64, error) {
	caller, _ := tokenIn(ctx)
	n, err := s.opt.Access.EndOthers(ctx, caller)
	if err == nil {
		about(ctx, fmt.Sprintf("%d other sessions", n))
	}
	return n, err
}
