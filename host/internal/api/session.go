package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/host/internal/api/v1"
	"github.com/tapnode/tapnode/host/internal/front"
	"github.com/tapnode/tapnode/sdk"
)

// cookieName returns the name of the cookie with a session's secret. Over TLS it has the prefix __Host-,
// so that no other host of the domain can set it.
func cookieName(r *http.Request) string {
	if front.Secure(r) {
		return "__Host-tapnode_session"
	}
	return "tapnode_session"
}

func setCookie(w http.ResponseWriter, r *http.Request, secret string, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: cookieName(r), Value: secret, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: front.Secure(r), SameSite: http.SameSiteStrictMode})
}

// cookieOf returns the session secret in the cookie of a request, "" if there is none.
func cookieOf(r *http.Request) string {
	c, err := r.Cookie(cookieName(r))
	if err != nil || len(c.Value) > 100 {
		return ""
	}
	return c.Value
}

// ours says whether a request was made by a page of this host. Browsers send a cookie with the requests
// of every page of the same site: pages of the same machine, or of another name of the domain. They state
// where the page is from, except old browsers when they only read; a page of another origin cannot see
// the answer then.
func ours(r *http.Request) bool {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	switch {
	case r.Header.Get("Upgrade") != "": // browsers let pages of any origin read from a WebSocket
		return front.FromItself(r) && (site == "" || site == "same-origin")
	case site == "same-origin":
		return true
	case site == "none": // the user typed the address
		return !changes(r.Method)
	case site != "":
		return false
	}
	return front.FromItself(r) || origin == "" && !changes(r.Method)
}

// visitor finds the caller of a request by its session cookie. If there is no such session, visitor has
// answered the request. A wrong secret does not slow its sender down: secrets cannot be guessed, and a
// page that outlives its session sends one.
func (s *Server) visitor(w http.ResponseWriter, r *http.Request, secret string) (caller access.Caller, ok bool) {
	if !ours(r) {
		deny(w, r, http.StatusForbidden, "forbidden", "The cookie of a session counts for pages of this host alone; send a token")
		return caller, false
	}
	caller, ok, err := s.session(r.Context(), secret, true)
	switch {
	case err != nil:
		s.opt.Logger.Error("a session cannot be checked", "err", err)
		deny(w, r, http.StatusServiceUnavailable, "unavailable", "The session could not be checked; try again")
		return caller, false
	case !ok:
		setCookie(w, r, "", -1)
		deny(w, r, http.StatusUnauthorized, "unauthenticated", "The session is over; sign in again")
	}
	return caller, ok
}

// session finds a session whose token is still valid. used counts the call as a use of the session.
func (s *Server) session(ctx context.Context, secret string, used bool) (access.Caller, bool, error) {
	found, ok, err := s.opt.Access.Session(ctx, secret, used)
	if instance, of := strings.CutPrefix(found.ID, access.InstanceID("")); of && ok && err == nil {
		var token string
		if s.opt.Seed != nil {
			token, err = s.opt.Seed.Current(ctx, instance)
		}
		ok = token != "" && found.BegunBy(token)
	}
	return found.Caller, ok, err
}

// visit is a request whose handler reads or sets the session cookie.
type visit struct {
	w http.ResponseWriter
	r *http.Request
}

type visitKey struct{}

func visiting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, visit{w, r})))
	})
}

// open serves a route that needs no token. Sign-ins are recorded in the audit log.
func (s *Server) open(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Sec-Fetch-Site") != "" && !ours(r) { // a foreign page could sign the browser in as someone else
			deny(w, r, http.StatusForbidden, "forbidden", "Only a page of this host may sign in")
			return
		}
		w, r, done := s.recorded(w, r, access.Caller{}, false)
		defer done()
		visiting(next).ServeHTTP(w, r)
	})
}

// doors implements v1.Sessions.
type doors struct{ *Server }

// SignIn implements v1.Sessions.
func (s doors) SignIn(ctx context.Context, code, token string) (v1.Visitor, error) {
	v, ok := ctx.Value(visitKey{}).(visit)
	if !ok {
		return v1.Visitor{}, refused(http.StatusConflict, "no_session", "there is nobody to give a cookie to")
	}
	secret, begun, err := s.begin(v, code, token)
	if err != nil {
		return v1.Visitor{}, err
	}
	if old := cookieOf(v.r); old != "" && ours(v.r) { // without its cookie, nobody could sign out of it
		if before, ok, err := s.session(ctx, old, false); ok && err == nil {
			if _, err := s.opt.Access.End(ctx, before, false); err != nil {
				s.opt.Logger.Warn("a session that another takes the place of goes on", "err", err)
			}
		}
	}
	setCookie(v.w, v.r, secret, int(access.LifeTime/time.Second))
	acts(ctx, begun.Caller)
	about(ctx, "session "+begun.Session)
	return s.visitorOf(begun.Caller), nil
}

func (s doors) begin(v visit, code, token string) (secret string, begun access.Session, err error) {
	ctx, caller := v.r.Context(), access.Owner()
	var known bool
	if code != "" {
		known, err = s.opt.Access.Offered(ctx, code)
	} else {
		caller, known, err = s.known(ctx, token)
	}
	if err != nil {
		return "", begun, err
	}
	who := caller.ID
	if !known {
		who = ""
	}
	if wait := s.opt.Access.Guess(front.Sender(v.r), who); wait > 0 {
		v.w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)))
		return "", begun, refused(http.StatusTooManyRequests, "rate_limited", "Rate limit exceeded. Try again later.")
	}
	if known && code != "" {
		secret, begun, known, err = s.opt.Access.Redeem(ctx, code)
	} else if known {
		if !quota(v.w.Header(), s.opt.Access.Use(caller.ID, access.Requests)) {
			return "", begun, refused(http.StatusTooManyRequests, "rate_limited", "Rate limit exceeded. Try again later.")
		}
		secret, begun, err = s.opt.Access.Begin(ctx, caller, token)
	}
	if err == nil && !known {
		err = refused(http.StatusUnauthorized, "unauthenticated", "nobody can sign in with this: it is wrong, has expired or was used; tapnode signin prints another link")
	}
	return secret, begun, err
}

// Visitor implements v1.Sessions.
func (s doors) Visitor(ctx context.Context) v1.Visitor {
	caller, _ := tokenIn(ctx)
	return s.visitorOf(caller)
}

func (s doors) visitorOf(c access.Caller) v1.Visitor {
	v := v1.Visitor{Token: c.ID, Name: c.Name, Scopes: c.Scopes, Instances: c.Instances, Session: c.Session, Simulated: s.opt.Simulated, Picture: s.opt.Picture, Version: sdk.Version}
	if !c.Until.IsZero() {
		v.Until = &c.Until
	}
	return v
}

// SignOut implements v1.Sessions.
func (s doors) SignOut(ctx context.Context, everywhere bool) error {
	caller, _ := tokenIn(ctx)
	ended, err := s.opt.Access.End(ctx, caller, everywhere)
	switch {
	case err != nil:
		return err
	case !ended && !everywhere:
		return refused(http.StatusNotFound, "not_found", "there is no session to end: the request has a token")
	case everywhere:
		about(ctx, "all sessions of "+caller.ID)
	default:
		about(ctx, "session "+caller.Session)
	}
	if v, ok := ctx.Value(visitKey{}).(visit); ok && cookieOf(v.r) != "" {
		setCookie(v.w, v.r, "", -1)
	}
	return nil
}

// Link implements v1.Sessions.
func (s doors) Link(ctx context.Context, scopes []access.Scope) (v1.Link, error) {
	caller, _ := tokenIn(ctx)
	if caller.ID != access.Owner().ID || caller.Session != "" {
		return v1.Link{}, refused(http.StatusForbidden, "forbidden", "only who runs the host makes links to sign in by: tapnode signin, beside it")
	}
	return s.SignInLink(ctx, scopes)
}

// SignInLink makes a link that signs somebody in once. Call it only after Start.
func (s *Server) SignInLink(ctx context.Context, scopes []access.Scope) (v1.Link, error) {
	if len(scopes) == 0 {
		scopes = access.AccountScopes()
	}
	code, until, err := s.opt.Access.Link(ctx, scopes)
	return v1.Link{URL: s.front.Public(s.listener) + "/ui/sign-in#code=" + url.QueryEscape(code), Until: until}, err
}

func refused(status int, code, message string) error {
	return &sdk.Problem{Code: code, HTTPStatus: status, Message: message, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}
}

// All implements v1.Sessions.
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

// EndOf implements v1.Sessions.
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

// EndOthers implements v1.Sessions.
func (s doors) EndOthers(ctx context.Context) (int64, error) {
	caller, _ := tokenIn(ctx)
	n, err := s.opt.Access.EndOthers(ctx, caller)
	if err == nil {
		about(ctx, fmt.Sprintf("%d other sessions", n))
	}
	return n, err
}
