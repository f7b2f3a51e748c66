package api

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// success is the seed's envelope of a message that was sent. Clients look for the message's id here or in
// data, some of them under the name id.
type success struct {
	Success   bool            `json:"success"`
	Message   string          `json:"message"`
	Status    string          `json:"status"`
	MessageID string          `json:"messageId,omitempty"`
	Data      json.RawMessage `json:"data"`
	Warnings  []sdk.Warning   `json:"warnings,omitempty"`
}

// failure is the seed's envelope of a request that failed. Clients read error.message; one of them reads
// message and code at the top level. Status is as in the seed.
type failure struct {
	Success bool         `json:"success"`
	Status  string       `json:"status,omitempty"`
	Message string       `json:"message"`
	Code    string       `json:"code,omitempty"`
	Error   failureError `json:"error"`
}

type failureError struct {
	Message    string          `json:"message"`
	Code       string          `json:"code,omitempty"`
	Violations []sdk.Violation `json:"violations,omitempty"`
}

func succeed(w http.ResponseWriter, message string, out Outcome) {
	if out.Replayed {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	data := json.RawMessage(out.Output)
	if len(data) == 0 {
		data = json.RawMessage("{}")
	}
	var sent struct {
		Status    string          `json:"status"`
		MessageID string          `json:"messageId"`
		SentAt    json.RawMessage `json:"sentAt"`
	}
	if err := json.Unmarshal(data, &sent); err != nil || sent.Status == "" {
		sent.Status = "sent"
	}
	if sent.MessageID != "" && len(sent.SentAt) > 0 {
		data = splice(splice(data, "timestamp", sent.SentAt), "id", sent.MessageID)
	}
	write(w, http.StatusOK, success{Success: true, Message: message, Status: sent.Status, MessageID: sent.MessageID, Data: data, Warnings: out.Warnings})
}

// internalStatus are the codes that the seed's error table lists as "internal status".
var internalStatus = map[string]bool{"invalid_number": true, "invalid_request": true, "send_failed": true, "disconnected": true}

func fail(w http.ResponseWriter, httpStatus int, code, message string) {
	f := failure{Message: message, Code: code, Error: failureError{Message: message, Code: code}}
	if internalStatus[code] {
		f.Status = code
	}
	write(w, httpStatus, f)
}

// failWith answers with a Problem, or with 503 for a node that cannot be reached.
func failWith(w http.ResponseWriter, err error) {
	var p *sdk.Problem
	if !errors.As(err, &p) {
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable, "node_unavailable", "The node did not answer; whether the message was sent is unknown. Repeat with the same Idempotency-Key")
		return
	}
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
	f := failure{Message: p.Message, Code: p.Code, Error: failureError{Message: p.Message, Code: p.Code, Violations: p.Violations}}
	if internalStatus[p.Code] {
		f.Status = p.Code
	}
	status := p.HTTPStatus
	if status < 400 || status > 599 {
		status = http.StatusInternalServerError
	}
	write(w, status, f)
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(readTime)) // not every writer supports deadlines
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body) // fails only when the client is gone
}

// enveloped uses the seed's envelope also for paths without an endpoint, because clients read the envelope
// before the status. A path that is not clean gets a 404 and no redirect, because clients follow none;
// below /v1 that 404 is a problem, which resources writes.
func enveloped(mux *http.ServeMux, resources http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") && path.Clean(r.URL.EscapedPath()) != r.URL.EscapedPath() { // ServeMux would redirect
			resources.ServeHTTP(w, r)
			return
		}
		if !strings.HasPrefix(r.URL.Path, "/api/") && !strings.HasPrefix(r.URL.Path, "/ws/") {
			mux.ServeHTTP(w, r)
			return
		}
		if asked := r.URL.EscapedPath(); path.Clean(asked) != strings.TrimSuffix(asked, "/") {
			fail(w, http.StatusNotFound, "not_found", "There is no such endpoint")
			return
		}
		refusal, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		heard := &listener{header: http.Header{}, status: http.StatusOK}
		refusal.ServeHTTP(heard, r)
		if heard.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", heard.header.Get("Allow"))
			fail(w, heard.status, "method_not_allowed", "Method not allowed; use "+heard.header.Get("Allow"))
			return
		}
		fail(w, http.StatusNotFound, "not_found", "There is no such endpoint")
	})
}

// listener records how ServeMux answers a request that matches no endpoint.
type listener struct {
	header http.Header
	status int
}

func (l *listener) Header() http.Header         { return l.header }
func (l *listener) Write(b []byte) (int, error) { return len(b), nil }
func (l *listener) WriteHeader(status int)      { l.status = status }
