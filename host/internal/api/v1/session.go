package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/host/internal/access"
)

// Visitor describes the caller of a request.
type Visitor struct {
	Token     string         `json:"token" doc:"The id of the token; control is the host's owner, who came by a link."`
	Name      string         `json:"name,omitempty" doc:"The token's, for people."`
	Scopes    []access.Scope `json:"scopes" nullable:"false" enum:"send,read,manage,reveal"`
	Instances []string       `json:"instances,omitempty" nullable:"false" doc:"Left out, all."`
	Session   string         `json:"session,omitempty" doc:"The id of the session; left out, the request has a token."`
	Until     *time.Time     `json:"until,omitempty" doc:"When the session ends if nobody uses it."`
	Simulated bool           `json:"simulated" doc:"WhatsApp is simulated."`
	Picture   string         `json:"picture,omitempty" doc:"The address of the simulation's picture, which this host serves at /sim/v1/picture.png, too."`
	Version   string         `json:"version" doc:"Of the host."`
}

// Seated is the session of a browser that is signed in.
type Seated struct {
	ID        string         `json:"id"`
	Token     string         `json:"token" doc:"The id of the token that it began with; control is a link."`
	Name      string         `json:"name,omitempty" doc:"The token's, for people."`
	Scopes    []access.Scope `json:"scopes" nullable:"false" enum:"send,read,manage,reveal"`
	Instances []string       `json:"instances,omitempty" nullable:"false" doc:"Left out, all."`
	Began     time.Time      `json:"began"`
	Used      time.Time      `json:"used" doc:"Last, to the minute."`
	Until     time.Time      `json:"until" doc:"When it ends if nobody uses it."`
	Own       bool           `json:"own" doc:"It makes this request."`
}

type seatedList struct {
	Sessions []Seated `json:"sessions" nullable:"false" doc:"Those that go on, at most 500: the one used last first."`
}

type othersEnded struct {
	Ended int64 `json:"ended" doc:"How many."`
}

// Link signs somebody in once.
type Link struct {
	URL   string    `json:"url" doc:"To open in a browser. The code is behind the #, which no server logs."`
	Until time.Time `json:"until"`
}

// Sessions keeps the sessions of browsers. Its methods find the caller in the context of the request.
type Sessions interface {
	// SignIn begins a session with a code or a token, whichever is given, and sets it as a cookie.
	SignIn(ctx context.Context, code, token string) (Visitor, error)
	Visitor(ctx context.Context) Visitor
	// All returns the sessions that the caller may end: those that began with the same token, or all.
	All(ctx context.Context) ([]Seated, error)
	// EndOf ends one of them, and EndOthers all but that of the request.
	EndOf(ctx context.Context, session string) error
	EndOthers(ctx context.Context) (int64, error)
	// SignOut ends the session of the request, or all that began with the same token.
	SignOut(ctx context.Context, everywhere bool) error
	Link(ctx context.Context, scopes []access.Scope) (Link, error)
}

type credential struct {
	_     struct{} `additionalProperties:"false"`
	Code  string   `json:"code,omitempty" maxLength:"100" doc:"Of a sign-in link. It counts once."`
	Token string   `json:"token,omitempty" maxLength:"4096" doc:"Any token: the session may do what it may, and ends with it."`
}

type linkRights struct {
	_      struct{}       `additionalProperties:"false"`
	Scopes []access.Scope `json:"scopes,omitempty" nullable:"false" enum:"send,read,manage,reveal" doc:"What the session may do; left out, send, read and manage."`
}

// sessions serves the signing in and out of browsers.
func (a *API) sessions(s Sessions) {
	serve(a, route{
		method: http.MethodPost, path: "/v1/session", id: "signIn", tag: "sessions", summary: "Sign in: begin a session of a browser",
		about: "Takes the code of a sign-in link, or a token, and answers with a cookie that counts for pages of this host wherever a token does, 12 hours after its last use, 7 days at most. " +
			"It is HttpOnly, SameSite=Strict and, by TLS, Secure. Every session is a new one.",
		access: Access{Right: Nobody, Reach: Any}, status: http.StatusCreated, body: smallBody, example: `{"code":"JBSWY3DPEHPK3PXPJBSWY3DPEH"}`, secret: true,
		refusals: []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests},
	}, func(ctx context.Context, in *struct{ strict[credential] }) (*one[Visitor], error) {
		if (in.in.Code == "") == (in.in.Token == "") {
			return nil, refuse(http.StatusUnprocessableEntity, "invalid", "give a code or a token", fault{Code: "invalid", Message: "give a code or a token"})
		}
		v, err := s.SignIn(ctx, in.in.Code, in.in.Token)
		return &one[Visitor]{v}, a.unstored(err)
	})
	serve(a, route{
		method: http.MethodGet, path: "/v1/session", id: "getSession", tag: "sessions", summary: "Who makes this request, and what they may do",
		access: Access{Right: Anybody, Reach: Any}, refusals: []int{http.StatusUnauthorized},
	}, func(ctx context.Context, _ *struct{}) (*one[Visitor], error) {
		return &one[Visitor]{s.Visitor(ctx)}, nil
	})
	serve(a, route{
		method: http.MethodDelete, path: "/v1/session", id: "signOut", tag: "sessions", summary: "Sign out: end the session",
		access: Access{Right: Anybody, Reach: Any}, refusals: []int{http.StatusUnauthorized, http.StatusNotFound},
	}, func(ctx context.Context, in *struct {
		Everywhere bool `query:"everywhere" doc:"End all sessions that began with the same token, or with links."`
	}) (*struct{}, error) {
		return nil, a.unstored(s.SignOut(ctx, in.Everywhere))
	})
	serve(a, route{
		method: http.MethodPost, path: "/v1/session/link", id: "makeSignInLink", tag: "sessions", summary: "Make a link that signs somebody in once, within 15 minutes",
		about:  "For whoever runs the host: over its private socket, as tapnode signin does it, and for no token.",
		access: Access{Manage, All}, status: http.StatusCreated, body: smallBody, example: `{"scopes":["read"]}`, secret: true, refusals: []int{http.StatusForbidden, http.StatusUnprocessableEntity},
	}, func(ctx context.Context, in *struct{ strict[linkRights] }) (*one[Link], error) {
		link, err := s.Link(ctx, in.in.Scopes)
		return &one[Link]{link}, a.unstored(err)
	})
	a.seated(s)
}

// seated serves the list of signed-in browsers, and the ending of their sessions.
func (a *API) seated(s Sessions) {
	serve(a, route{
		method: http.MethodGet, path: "/v1/sessions", id: "listSessions", tag: "sessions", summary: "Who is signed in",
		about:  "The sessions that began with the same token, or with links; for a token that manages all instances, everybody's.",
		access: Access{Right: Anybody, Reach: Any}, refusals: []int{http.StatusUnauthorized},
	}, func(ctx context.Context, _ *struct{}) (*one[seatedList], error) {
		all, err := s.All(ctx)
		return &one[seatedList]{seatedList{orNone(all)}}, a.unstored(err)
	})
	serve(a, route{
		method: http.MethodDelete, path: "/v1/sessions", id: "endOtherSessions", tag: "sessions", summary: "End all sessions that are listed, except the one that asks",
		access: Access{Right: Anybody, Reach: Any}, status: http.StatusOK, refusals: []int{http.StatusUnauthorized},
	}, func(ctx context.Context, _ *struct{}) (*one[othersEnded], error) {
		n, err := s.EndOthers(ctx)
		return &one[othersEnded]{othersEnded{n}}, a.unstored(err)
	})
	serve(a, route{
		method: http.MethodDelete, path: "/v1/sessions/{session}", id: "endSession", tag: "sessions", summary: "End a session that is listed",
		access: Access{Right: Anybody, Reach: Any}, refusals: []int{http.StatusUnauthorized, http.StatusNotFound},
	}, func(ctx context.Context, in *struct {
		Session string `path:"session" example:"sqzj3b7k2xa"`
	}) (*struct{}, error) {
		return nil, a.unstored(s.EndOf(ctx, in.Session))
	})
}
