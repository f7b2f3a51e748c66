package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/api/v1"
	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
)

const (
	// maxHookBody limits the body of a call of a webhook, in bytes.
	maxHookBody = 192 << 10
	// readyBody limits the memory that is allocated for a body before it arrives, in bytes.
	readyBody = 4 << 10
	// answerTime is how long a call waits for the flow's answer, if the flow has a step for it. After that
	// the answer is the id of the run.
	answerTime = 25 * time.Second
	// maxAnswers is how many calls may wait at the same time.
	maxAnswers = 1000
)

// hooks serves /hooks/{path}: the webhooks of the flows. A call is authenticated by the webhook's own
// secret or signature, not by a token.
func (s *Server) hooks(mux *http.ServeMux, e *engine.Engine) {
	waiting := make(chan struct{}, maxAnswers)
	mux.HandleFunc("/hooks/{path}", func(w http.ResponseWriter, r *http.Request) {
		hook, ok := hookFor(w, r, e)
		if !ok {
			return
		}
		event, ok := s.called(w, r, hook)
		if !ok {
			return
		}
		key := r.Header.Get("Idempotency-Key")
		if key == "" {
			key = r.Header.Get("Webhook-Id") // as Standard Webhooks defines it
		}
		if len(key) > maxKey {
			v1.Refuse(w, http.StatusBadRequest, "invalid_key", "the key of the call is too long")
			return
		}
		d, err := e.Invoke(r.Context(), hook, key, event)
		switch {
		case errors.Is(err, engine.ErrBadEvent):
			v1.Refuse(w, http.StatusRequestEntityTooLarge, "too_large", err.Error())
		case err != nil:
			s.opt.Logger.Error("a webhook was not delivered", "path", hook.Path, "err", err)
			v1.Refuse(w, http.StatusServiceUnavailable, "unavailable", "the call could not be stored; try again")
		case d.Response != nil:
			respond(w, d.Response)
		case len(d.Started) == 0 && !d.Duplicate:
			write(w, http.StatusAccepted, map[string]any{"run": nil, "ignored": len(d.Ignored) > 0, "deadLetter": d.Dead})
		default:
			id := hook.RunOf(key)
			if len(d.Started) > 0 {
				id = d.Started[0]
			}
			s.answer(w, r, e, waiting, hook, id)
		}
	})
}

// hookFor finds the webhook of a call, or answers that there is none.
func hookFor(w http.ResponseWriter, r *http.Request, e *engine.Engine) (engine.Hook, bool) {
	var methods []string
	for _, h := range e.Hooks(r.PathValue("path")) {
		if h.Method == r.Method {
			return h, true
		}
		methods = append(methods, h.Method)
	}
	if len(methods) == 0 {
		v1.Refuse(w, http.StatusNotFound, "unknown_hook", "no flow listens at this address")
		return engine.Hook{}, false
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	v1.Refuse(w, http.StatusMethodNotAllowed, "method_not_allowed", "the webhook takes "+strings.Join(methods, " and ")+" only")
	return engine.Hook{}, false
}

// called reads and checks a call, and returns the event that the flow sees.
func (s *Server) called(w http.ResponseWriter, r *http.Request, h engine.Hook) (map[string]any, bool) {
	read := bytes.NewBuffer(make([]byte, 0, bytes.MinRead+min(max(r.ContentLength, 0), readyBody)))
	_, err := read.ReadFrom(http.MaxBytesReader(w, r.Body, maxHookBody))
	body := read.Bytes()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		v1.Refuse(w, http.StatusRequestEntityTooLarge, "too_large", "the body is larger than 192 KiB")
		return nil, false
	case err != nil:
		v1.Refuse(w, http.StatusBadRequest, "invalid_body", "the body ended early")
		return nil, false
	}
	secret := s.opt.Secrets[h.Auth.Secret]
	if h.Auth.Secret != "" && len(secret) == 0 {
		s.opt.Logger.Error("a webhook was called and its secret is not among the host's: add it to the file of --secrets", "path", h.Path, "secret", h.Auth.Secret)
		v1.Refuse(w, http.StatusServiceUnavailable, "not_configured", "the webhook is not set up: its secret is missing on the server")
		return nil, false
	}
	if err := h.Verify(secret, r.Header.Values(h.Auth.Header), body); err != nil {
		v1.Refuse(w, http.StatusUnauthorized, "unauthenticated", err.Error())
		return nil, false
	}
	event, err := h.Event(r.URL.Query(), r.Header, body)
	if errors.Is(err, flow.ErrBody) {
		v1.Refuse(w, http.StatusBadRequest, "invalid_body", err.Error())
	}
	return event, err == nil
}

// answer waits for the run's answer if the flow has a step for it, and otherwise answers with the run's id.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, e *engine.Engine, waiting chan struct{}, h engine.Hook, run string) {
	if h.Responds() {
		select {
		case waiting <- struct{}{}:
			defer func() { <-waiting }()
			ctx, cancel := context.WithTimeout(r.Context(), answerTime)
			defer cancel()
			if output, ok, err := e.Response(ctx, run); err == nil && ok {
				respond(w, output)
				return
			}
		default: // too many calls wait: this one gets the run's id, and the run continues
		}
	}
	write(w, http.StatusAccepted, map[string]any{"run": run})
}

// respond writes the output of a respond@1 step.
func respond(w http.ResponseWriter, output any) {
	out, _ := output.(map[string]any)
	headers, _ := out["headers"].(map[string]any)
	for name, value := range headers {
		if text, ok := value.(string); ok {
			w.Header().Set(name, text)
		}
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	status, ok := out["status"].(int)
	if !ok {
		status = http.StatusOK
	}
	body, _ := out["body"].(string)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // fails only when the client is gone
}
