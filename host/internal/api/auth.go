package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/tapnode/tapnode/host/internal/api/v1"
)

// authorized lets a request pass whose token covers the {instance} of its path,
// and counts it against the token's rate limit.
func (s *Server) authorized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := tokenIn(r.Context()); ok { // by the control socket
			next.ServeHTTP(w, r)
			return
		}
		raw, missing := tokenOf(r)
		if raw == "" {
			deny(w, r, http.StatusUnauthorized, "unauthenticated", missing)
			return
		}
		token, ok, err := s.known(r.Context(), raw)
		if err != nil {
			s.opt.Logger.Error("a token cannot be checked", "err", err)
			deny(w, r, http.StatusServiceUnavailable, "unavailable", "The token could not be checked; try again")
			return
		}
		if !ok {
			deny(w, r, http.StatusUnauthorized, "unauthenticated", "Invalid token")
			return
		}
		if !s.limit.allow(w.Header(), token.ID) {
			deny(w, r, http.StatusTooManyRequests, "rate_limited", "Rate limit exceeded. Try again later.")
			return
		}
		if instance := r.PathValue("instance"); token.Scope == TokenInstance && instance != "" && token.Instance != instance {
			deny(w, r, http.StatusForbidden, "forbidden", "Instance token does not match the instance in the path")
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, token)))
	})
}

// access is v1.Options.Authorize.
func (s *Server) access(access v1.Access, next http.Handler) http.Handler {
	return s.authorized(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := tokenIn(r.Context())
		if token.Scope != TokenAccount && (access.Reach == v1.All || access.Reach == v1.ByPath && r.PathValue("instance") == "") {
			deny(w, r, http.StatusForbidden, "forbidden", "This needs an account token")
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// callerOf is v1.Options.CallerOf.
func callerOf(ctx context.Context) v1.Caller {
	token, _ := tokenIn(ctx)
	caller := v1.Caller{ID: token.ID, Reveal: token.Reveal}
	if token.ID == controlID {
		caller.ID = ""
	}
	if token.Scope != TokenAccount {
		caller.Instances = []string{token.Instance}
	}
	return caller
}

// deny refuses a request in the form of the API that it is for.
func deny(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		v1.Refuse(w, status, code, message)
		return
	}
	fail(w, status, code, message)
}

// known finds a token that was made, or derived for an instance.
func (s *Server) known(ctx context.Context, raw string) (Token, bool, error) {
	token, ok := s.opt.Tokens.Check(raw)
	if ok || s.opt.Seed == nil {
		return token, ok, nil
	}
	instance, err := s.opt.Seed.Check(ctx, raw)
	return Token{ID: "instance " + instance, Scope: TokenInstance, Instance: instance}, instance != "", err
}

type tokenKey struct{}

// tokenIn is the token that authorized the request.
func tokenIn(ctx context.Context) (Token, bool) {
	t, ok := ctx.Value(tokenKey{}).(Token)
	return t, ok
}

// accountOnly refuses tokens of one instance, where no path says that it is about that one.
func accountOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token, ok := tokenIn(r.Context()); !ok || token.Scope != TokenAccount {
			deny(w, r, http.StatusForbidden, "forbidden", "This needs an account token")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// tokenOf reads the token from the header token, Authorization: Bearer or, as one client
// does, apikey; from the query only for a WebSocket, whose browser API cannot set headers.
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
	if strings.HasPrefix(r.URL.Path, "/ws/") {
		return r.URL.Query().Get("token"), "Missing token in header, Authorization header, or query parameter"
	}
	return "", "Missing token in header"
}
