package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/host/internal/api/v1"
	"github.com/tapnode/tapnode/host/internal/front"
)

// authorized lets a request pass if its token covers the {instance} of the path and may read or, for a
// request that changes something, manage.
func (s *Server) authorized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scope := access.Manage
		if !changes(r.Method) {
			scope = access.Read
		}
		s.admit(w, r, scope, next)
	})
}

// scoped is like authorized, for requests that need another scope than their method implies.
func (s *Server) scoped(scope access.Scope, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.admit(w, r, scope, next) })
}

func changes(method string) bool { return method != http.MethodGet && method != http.MethodHead }

// admit counts a request against the limit of its token and checks its scope and instance. The audit log
// gets every change that needs the scope manage, even if it is refused, and every other change for which a
// handler has called about.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, scope access.Scope, next http.Handler) {
	r, caller, ok := s.enter(w, r)
	if !ok {
		return
	}
	if changes(r.Method) {
		var done func()
		w, r, done = s.recorded(w, r, caller, scope == access.Manage)
		defer done()
	}
	switch instance := r.PathValue("instance"); {
	case instance != "" && !caller.Covers(instance):
		deny(w, r, http.StatusForbidden, "forbidden", "Instance token does not match the instance in the path")
	case scope != access.Scope(v1.Anybody) && !caller.May(scope):
		deny(w, r, http.StatusForbidden, "forbidden", "This needs a token with the scope "+string(scope))
	default:
		next.ServeHTTP(w, r)
	}
}

// enter finds the caller of a request by its token or session and counts the request against the caller's
// limit. A request from the control socket or from a tool of /mcp already has its caller. If ok is false,
// enter has answered the request.
func (s *Server) enter(w http.ResponseWriter, r *http.Request) (_ *http.Request, caller access.Caller, ok bool) {
	if caller, ok = tokenIn(r.Context()); ok {
		return r, caller, true
	}
	if caller, ok = s.identify(w, r); !ok {
		return r, caller, false
	}
	who, kind := caller.ID, access.Requests
	if caller.Session != "" {
		who, kind = caller.Session, access.Pages
	}
	if !quota(w.Header(), s.opt.Access.Use(who, kind)) {
		deny(w, r, http.StatusTooManyRequests, "rate_limited", "Rate limit exceeded. Try again later.")
		return r, caller, false
	}
	return r.WithContext(context.WithValue(r.Context(), tokenKey{}, caller)), caller, true
}

// entered lets a request with any valid token pass; its scopes are checked where it does something.
func (s *Server) entered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r, _, ok := s.enter(w, r); ok {
			next.ServeHTTP(w, r)
		}
	})
}

// identify finds the caller of a request by its token or, without a token, by its session. If ok is false,
// identify has answered the request.
func (s *Server) identify(w http.ResponseWriter, r *http.Request) (caller access.Caller, ok bool) {
	raw, missing := tokenOf(r)
	if secret := cookieOf(r); raw == "" && secret != "" {
		return s.visitor(w, r, secret)
	}
	if raw == "" {
		deny(w, r, http.StatusUnauthorized, "unauthenticated", missing)
		return caller, false
	}
	caller, ok, err := s.known(r.Context(), raw)
	if err != nil {
		s.opt.Logger.Error("a token cannot be checked", "err", err)
		deny(w, r, http.StatusServiceUnavailable, "unavailable", "The token could not be checked; try again")
		return caller, false
	}
	if wait := s.opt.Access.Guess(front.Sender(r), caller.ID); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)))
		deny(w, r, http.StatusTooManyRequests, "rate_limited", "Rate limit exceeded. Try again later.")
		return caller, false
	}
	if !ok {
		deny(w, r, http.StatusUnauthorized, "unauthenticated", "Invalid token")
	}
	return caller, ok
}

// known finds the caller of a token, either one that was made or one that is derived for an instance.
func (s *Server) known(ctx context.Context, raw string) (access.Caller, bool, error) {
	caller, ok, err := s.opt.Access.Find(raw)
	if ok || err != nil || s.opt.Seed == nil {
		return caller, ok, err
	}
	instance, err := s.opt.Seed.Check(ctx, raw)
	if instance == "" || err != nil {
		return access.Caller{}, false, err
	}
	return access.Caller{ID: access.InstanceID(instance), Scopes: access.AccountScopes(), Instances: []string{instance}}, true, nil
}

// allowed implements v1.Options.Authorize.
func (s *Server) allowed(need v1.Access, next http.Handler) http.Handler {
	if need.Right == v1.Nobody {
		return s.open(next)
	}
	create := s.creating(next)
	if need.Right == v1.Anybody {
		next = visiting(next)
	}
	return s.scoped(access.Scope(need.Right), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := tokenIn(r.Context())
		if !caller.All() && (need.Reach == v1.All || need.Reach == v1.ByPath && r.PathValue("instance") == "") {
			deny(w, r, http.StatusForbidden, "forbidden", "This needs an account token")
			return
		}
		if r.Pattern == "POST /v1/instances" {
			create.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// callerOf implements v1.Options.CallerOf.
func callerOf(ctx context.Context) v1.Caller {
	holder, _ := tokenIn(ctx)
	caller := v1.Caller{ID: holder.ID, Instances: holder.Instances, Rights: []v1.Right{}, Reveal: holder.May(access.Reveal)}
	if holder.ID == access.Owner().ID {
		caller.ID = ""
	}
	for _, s := range holder.Scopes {
		caller.Rights = append(caller.Rights, v1.Right(s))
	}
	return caller
}

// holderOf implements v1.Options.HolderOf.
func holderOf(ctx context.Context) access.Caller {
	holder, _ := tokenIn(ctx)
	return holder
}

// deny refuses a request in the form of the API that it calls.
func deny(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		v1.Refuse(w, status, code, message)
		return
	}
	fail(w, status, code, message)
}

type tokenKey struct{}

// tokenIn returns the caller whose token or session authorized the request.
func tokenIn(ctx context.Context) (access.Caller, bool) {
	c, ok := ctx.Value(tokenKey{}).(access.Caller)
	return c, ok
}

// accountOnly refuses tokens that are limited to some instances. It is for paths that name no instance.
func accountOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if caller, ok := tokenIn(r.Context()); !ok || !caller.All() {
			deny(w, r, http.StatusForbidden, "forbidden", "This needs an account token")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// valid says whether the token or session of a request with an open stream is still valid.
func (s *Server) valid(ctx context.Context, r *http.Request) bool {
	var ok bool
	var err error
	raw, _ := tokenOf(r)
	switch secret := cookieOf(r); {
	case raw != "":
		_, ok, err = s.known(ctx, raw)
	case secret != "":
		_, ok, err = s.session(ctx, secret, false)
	default: // from the control socket
		return true
	}
	return ok || err != nil // a check that fails ends no stream
}

// tokenOf reads the token from the header token, from Authorization: Bearer or, for one client, from apikey.
// The browsers' WebSocket API cannot set headers, so the token may also be among the subprotocols and, for
// the seed's clients below /ws, in the query.
func tokenOf(r *http.Request) (token, missing string) {
	if token = r.Header.Get("token"); token != "" {
		return token, ""
	}
	if scheme, value, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		if token = strings.TrimSpace(value); token != "" {
			return token, ""
		}
	}
	if token = r.Header.Get("apikey"); token != "" {
		return token, ""
	}
	for _, offered := range r.Header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(offered, ",") {
			if token, ok := strings.CutPrefix(strings.TrimSpace(name), "bearer."); ok && token != "" {
				return token, ""
			}
		}
	}
	if strings.HasPrefix(r.URL.Path, "/ws/") {
		return r.URL.Query().Get("token"), "Missing token in header, Authorization header, or query parameter"
	}
	return "", "Missing token in header"
}

// quota writes the state of a caller's limit into the seed's headers and those of the IETF draft (RateLimit
// and RateLimit-Policy), and says whether the request is within the limit. If a request counts against two
// limits, the seed's headers describe the second.
func quota(h http.Header, q access.Quota) bool {
	h.Set("X-RateLimit-Limit", strconv.Itoa(q.Limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(q.Remaining))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(q.At.Add(q.Full).Unix()+1, 10)) // never too early
	h.Add("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=60", q.Kind, q.Limit))
	h.Add("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", q.Kind, q.Remaining, q.Full/time.Second))
	if !q.OK {
		h.Set("Retry-After", strconv.Itoa(max(1, int(q.Next/time.Second))))
	}
	return q.OK
}
