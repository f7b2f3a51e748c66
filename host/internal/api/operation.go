package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/seed"
	"github.com/tapnode/tapnode/sdk"
)

// maxBody limits a body so that it fits, with its envelope, into one message of the contract.
const maxBody = sdk.MaxMessage - 64<<10

// maxKey limits an Idempotency-Key, in bytes.
const maxKey = 200

// keyOf returns the Idempotency-Key of a request, "" if there is none. mistake says what is wrong with
// the key, if anything.
func keyOf(r *http.Request) (key, mistake string) {
	keys := r.Header.Values("Idempotency-Key")
	switch {
	case len(keys) == 0:
		return "", ""
	case len(keys) > 1:
		return "", "There is more than one Idempotency-Key"
	case len(keys[0]) > maxKey:
		return "", fmt.Sprintf("Idempotency-Key is longer than %d bytes", maxKey)
	case !utf8.ValidString(keys[0]):
		return "", "Idempotency-Key is not UTF-8"
	case strings.HasPrefix(keys[0], engine.RunKeys):
		return "", fmt.Sprintf("Idempotency-Key begins with %q, which the keys of flows do; take another", engine.RunKeys)
	}
	return keys[0], ""
}

// maxRun limits a request: the longest delay a caller can ask for, plus the send.
const maxRun = 6 * time.Minute

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

// mount gives an operation an endpoint. A path that ends in a parameter is also served without that
// parameter, so that the caller gets the node's own message about it.
func (s *Server) mount(mux *http.ServeMux, op sdk.OperationManifest, at sdk.Route) (err error) {
	if !strings.HasPrefix(at.Path, "/api/") {
		return errors.New("a node's endpoints live under /api/")
	}
	defer func() { // ServeMux panics on a pattern it cannot take
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	var params []string
	for _, m := range pathParam.FindAllStringSubmatch(at.Path, -1) {
		params = append(params, m[1])
	}
	h := s.operation(op, params)
	if !slices.Contains(params, "instance") { // the path does not name the instance
		h = accountOnly(h)
	}
	if op.Kind == sdk.KindAction {
		h = s.scoped(access.Send, h)
	} else {
		h = s.authorized(h)
	}
	mux.Handle(at.Method+" "+at.Path, h)
	if base, ok := strings.CutSuffix(at.Path, "{"+last(params)+"}"); ok {
		mux.Handle(at.Method+" "+base+"{$}", h)
	}
	return nil
}

func (s *Server) operation(op sdk.OperationManifest, params []string) http.Handler {
	lenient := seed.NewBody(op, params)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			fail(w, http.StatusBadRequest, "invalid_request_body", fmt.Sprintf("Invalid request body: larger than %d bytes", maxBody))
			return
		case err != nil:
			fail(w, http.StatusBadRequest, "invalid_request_body", "Invalid request body: it ended early")
			return
		}
		// The body has been read. If the server's read deadline passed now, it would cancel the request on a
		// healthy connection.
		if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil {
			s.opt.Logger.Debug("read deadline stays", "err", err)
		}
		key, mistake := keyOf(r)
		if mistake != "" {
			fail(w, http.StatusBadRequest, "invalid_request", mistake)
			return
		}
		body, warnings := lenient.Read(body)
		for _, p := range params {
			if !utf8.ValidString(r.PathValue(p)) {
				fail(w, http.StatusBadRequest, "invalid_request", "The path is not UTF-8")
				return
			}
			body = splice(body, p, r.PathValue(p))
		}
		ctx, cancel := context.WithTimeout(r.Context(), maxRun)
		defer cancel()
		out, err := s.opt.Invoke(ctx, Call{Operation: op.ID, Input: body, Key: key})
		if err != nil {
			failWith(w, lenient.Explain(err))
			return
		}
		out.Warnings = append(warnings, out.Warnings...)
		succeed(w, "Message sent successfully", out)
	})
}

// splice puts a path parameter into the body as its first member. The node refuses a body that has the
// member twice. A body that is not a JSON object stays unchanged, so that the byte offset in the node's
// error is that of the client's body.
func splice(body []byte, name string, value any) []byte {
	rest := bytes.TrimLeft(body, " \t\r\n")
	if len(rest) == 0 || rest[0] != '{' || !json.Valid(body) {
		return body
	}
	member, err := json.Marshal(map[string]any{name: value})
	if err != nil {
		return body // unreachable: strings and values read from JSON always marshal
	}
	out := append(make([]byte, 0, len(member)+len(rest)), member[:len(member)-1]...)
	rest = bytes.TrimLeft(rest[1:], " \t\r\n")
	if rest[0] != '}' {
		out = append(out, ',')
	}
	return append(out, rest...)
}

func last(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}
