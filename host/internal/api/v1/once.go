package v1

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/answers"
	"github.com/tapnode/tapnode/sdk"
)

// keepTime limits storing an answer.
const keepTime = 5 * time.Second

// once lets a request with an Idempotency-Key act once and answers its repeats as the first was
// answered. Each caller has its own keys for each instance in the path.
func (a *API) once(w http.ResponseWriter, r *http.Request, rt route, body []byte, next http.Handler) {
	key, owner := r.Header.Get(keyHeader), a.caller(r.Context()).ID+"\x00"+r.PathValue("instance")
	owner = hashed(owner)
	known, err := a.opt.Answers.Begin(r.Context(), owner, key, hashed(r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(body)))
	if p := a.notAgain(known, err); p != nil {
		write(w, p)
		return
	}
	if known != nil {
		h := w.Header()
		for name, value := range map[string]string{"Content-Type": known.Type, "Location": known.Location} {
			if value != "" {
				h.Set(name, value)
			}
		}
		h.Set("Idempotent-Replayed", "true")
		w.WriteHeader(known.Status)
		_, _ = w.Write(known.Body) // fails only when the client is gone
		return
	}
	rec := &recorder{ResponseWriter: w, status: http.StatusOK, secret: rt.secret}
	next.ServeHTTP(rec, r)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), keepTime)
	defer cancel()
	if err := a.opt.Answers.End(ctx, owner, key, rec.answer()); err != nil {
		a.logger.Error("an answer could not be kept for its Idempotency-Key: a repeat will be answered that its outcome is unknown", "err", err)
	}
}

// notAgain returns the refusal of a request whose key prevents it from acting and for which no answer
// can be repeated.
func (a *API) notAgain(known *answers.Answer, err error) *problem {
	switch {
	case errors.Is(err, answers.ErrRunning):
		return refuse(http.StatusConflict, "key_in_use", "the first request with this Idempotency-Key is not answered yet; ask again in a moment").with("Retry-After", "1")
	case errors.Is(err, answers.ErrOther):
		return refuse(http.StatusUnprocessableEntity, "key_reused", "the Idempotency-Key was used for another request; take another key")
	case errors.Is(err, answers.ErrLost):
		return refuse(http.StatusConflict, "outcome_unknown", "the first request with this Idempotency-Key was interrupted and nobody knows what became of it: look, and if need be take another key")
	case errors.Is(err, answers.ErrTooMany):
		return refuse(http.StatusTooManyRequests, "too_many_keys", "the token has as many Idempotency-Keys in a day as it may")
	case err != nil:
		a.logger.Error("an Idempotency-Key cannot be looked up", "err", err)
		return refuse(http.StatusServiceUnavailable, "unavailable", "the Idempotency-Key could not be stored, and nothing has happened; try again").with("Retry-After", "1")
	case known != nil && known.Cut:
		return refuse(http.StatusConflict, "answer_not_kept", "this has happened, and its answer was not kept: it had a secret in it, or was too large")
	}
	return nil
}

func hashed(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// recorder keeps an answer while it is written.
type recorder struct {
	http.ResponseWriter
	status int
	body   []byte
	cut    bool
	secret bool
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	if r.cut = r.cut || len(r.body)+len(b) > answers.MaxBody; !r.cut {
		r.body = append(r.body, b...)
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap gives http.ResponseController the underlying writer.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// answer returns the answer to keep, or nil when nothing has happened and a repeat may act. That is the
// case for a refusal, unless it says that there was an effect or that the effect is unknown.
func (r *recorder) answer() *answers.Answer {
	a := &answers.Answer{Status: r.status, Type: r.Header().Get("Content-Type"), Location: r.Header().Get("Location"), Body: r.body, Cut: r.cut}
	if r.secret && r.status < http.StatusBadRequest {
		a.Body, a.Cut = nil, true
	}
	said := r.body
	switch {
	case a.Type == eventStream:
		_, tail, failed := bytes.Cut(r.body, []byte("event: problem\ndata: "))
		if !failed {
			return a
		}
		said, _, _ = bytes.Cut(tail, []byte("\n"))
	case r.status < http.StatusBadRequest:
		return a
	}
	var p struct {
		Effect sdk.Effect `json:"effect"`
	}
	if err := json.Unmarshal(said, &p); err == nil && (p.Effect == sdk.EffectUnknown || p.Effect == sdk.EffectDone) {
		return a
	}
	return nil
}
