package v1

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/sdk"
)

// Tokens keeps the tokens of the host and the audit log of their use.
type Tokens interface {
	List(ctx context.Context) ([]access.Token, error)
	Create(ctx context.Context, by access.Caller, like access.Token) (secret string, made access.Token, err error)
	Rotate(ctx context.Context, by access.Caller, id string, grace time.Duration) (secret string, made access.Token, err error)
	Revoke(ctx context.Context, by access.Caller, id string) error
	Audit(ctx context.Context, before string, limit int) ([]access.Entry, error)
}

type newToken struct {
	Name      string         `json:"name,omitempty" maxLength:"100" doc:"For people."`
	Scopes    []access.Scope `json:"scopes" minItems:"1" nullable:"false" enum:"send,read,manage,reveal" doc:"What it may do, each one that the caller may do, too: send, read, manage, reveal."`
	Instances []string       `json:"instances,omitempty" nullable:"false" doc:"The instances that it is for; left out, all."`
	Expires   *time.Time     `json:"expires,omitempty" doc:"When it ends; left out, when it is revoked."`
}

type rotation struct {
	GraceSeconds int `json:"graceSeconds,omitempty" minimum:"0" maximum:"2592000" doc:"How long the secret of now lives on."`
}

// Made is a token with its secret.
type Made struct {
	Secret string `json:"token" doc:"The secret: shown now and never again."`
	access.Token
}

type tokenList struct {
	Tokens []access.Token `json:"tokens" nullable:"false"`
}

type entryList struct {
	Entries []access.Entry `json:"entries" nullable:"false"`
	more
}

// tokens serves the tokens and the audit log.
func (a *API) tokens(t Tokens) {
	manage := Access{Manage, All}
	serve(a, route{
		method: http.MethodGet, path: "/v1/tokens", id: "listTokens", tag: "tokens", summary: "The tokens, without their secrets", access: manage,
	}, func(ctx context.Context, _ *struct{}) (*one[tokenList], error) {
		list, err := t.List(ctx)
		if err != nil {
			return nil, a.unstored(err)
		}
		return &one[tokenList]{tokenList{list}}, nil
	})
	serve(a, route{
		method: http.MethodPost, path: "/v1/tokens", id: "makeToken", tag: "tokens", summary: "Make a token", access: manage,
		about: "The answer shows its secret, once.", status: http.StatusCreated, body: smallBody, example: `{"name":"till","scopes":["send"],"instances":["demo"],"expires":"2999-01-01T00:00:00Z"}`, acts: always, secret: true,
		refusals: []int{http.StatusForbidden, http.StatusConflict, http.StatusUnprocessableEntity},
	}, func(ctx context.Context, in *struct{ strict[newToken] }) (*one[Made], error) {
		like := access.Token{Name: in.in.Name, Scopes: in.in.Scopes, Instances: in.in.Instances, Expires: in.in.Expires}
		secret, made, err := t.Create(ctx, a.opt.HolderOf(ctx), like)
		return a.shown(ctx, secret, made, err)
	})
	serve(a, route{
		method: http.MethodPost, path: "/v1/tokens/{token}/rotate", id: "rotateToken", tag: "tokens", summary: "Give a token another secret", access: manage,
		about: "The answer shows it, once.", body: smallBody, example: `{"graceSeconds":86400}`, acts: always, secret: true,
		refusals: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity},
	}, func(ctx context.Context, in *struct {
		Token string `path:"token" example:"1f9a0c5be2d7" doc:"The id, and not the secret."`
		strict[rotation]
	}) (*one[Made], error) {
		grace := min(max(in.in.GraceSeconds, -1), int(access.MaxGrace/time.Second)+1) // so that the product does not overflow
		secret, made, err := t.Rotate(ctx, a.opt.HolderOf(ctx), in.Token, time.Duration(grace)*time.Second)
		return a.shown(ctx, secret, made, err)
	})
	serve(a, route{
		method: http.MethodDelete, path: "/v1/tokens/{token}", id: "revokeToken", tag: "tokens", summary: "End a token at once", access: manage,
		refusals: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *struct {
		Token string `path:"token" example:"1f9a0c5be2d7" doc:"The id, and not the secret."`
	}) (*struct{}, error) {
		return nil, a.unstored(t.Revoke(ctx, a.opt.HolderOf(ctx), in.Token))
	})
	serve(a, route{
		method: http.MethodGet, path: "/v1/audit", id: "listAudit", tag: "tokens", summary: "Who changed what, the newest first", access: manage,
	}, func(ctx context.Context, in *struct {
		After string `query:"after" maxLength:"512" doc:"What the page before said as next."`
		Limit int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many at most."`
	}) (*one[entryList], error) {
		entries, err := t.Audit(ctx, in.After, in.Limit)
		if err != nil {
			return nil, a.unstored(err)
		}
		out := entryList{Entries: entries}
		if entries == nil {
			out.Entries = []access.Entry{}
		}
		if len(entries) == in.Limit {
			out.Next = entries[in.Limit-1].ID
		}
		return &one[entryList]{out}, nil
	})
}

// shown answers with a token and its secret.
func (a *API) shown(ctx context.Context, secret string, t access.Token, err error) (*one[Made], error) {
	if err != nil {
		return nil, a.unstored(err)
	}
	a.opt.Note(ctx, "token "+t.ID)
	return &one[Made]{Made{secret, t}}, nil
}

// unstored turns an error of package access or of its database into a problem; nil stays nil.
func (a *API) unstored(err error) error {
	if err == nil {
		return nil
	}
	own, ok := errors.AsType[*sdk.Problem](err)
	if !ok {
		a.logger.Error("a request for tokens failed", "err", err)
		return refuse(http.StatusServiceUnavailable, "unavailable", "it could not be done; try again").with("Retry-After", "1")
	}
	p := refuse(own.HTTPStatus, own.Code, own.Message)
	for _, v := range own.Violations {
		p.Errors = append(p.Errors, fault{Pointer: v.Pointer, Code: v.Code, Message: v.Message})
	}
	return p
}
