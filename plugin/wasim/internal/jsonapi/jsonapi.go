// Package jsonapi serves a table of JSON endpoints to people with curl on the same machine.
//
// Request bodies are read strictly (package jsonstrict) and bounded; every refusal is an application/problem+json
// (RFC 9457) that says what to do. Only loopback connections that also name a loopback host are served, so that
// neither the network nor a web page in the user's browser gets through. GET on the base path lists all endpoints
// with a command that works as it stands.
package jsonapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

const (
	maxBody = 1 << 20
	// maxWait bounds a request's wait parameter.
	maxWait = time.Minute
)

// Endpoint is one line of the table.
type Endpoint struct {
	Method  string
	Path    string // below the base, in http.ServeMux form
	Summary string
	Curl    string // what follows "curl " in the index; $SIM stands for the base URL
	Handle  func(*Request) (any, error)
}

// Request is a request an endpoint serves.
type Request struct{ *http.Request }

// Created makes the answer a 201 with this value.
type Created struct{ Value any }

// Problem is a refusal as it goes out. Type stays about:blank: the status and the detail say all there is.
type Problem struct {
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Detail  string `json:"detail"`
	Pointer string `json:"pointer,omitempty"` // JSON Pointer into the request body
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// Refuse makes a Problem.
func Refuse(status int, format string, args ...any) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// Decode reads the body strictly into target.
func (r *Request) Decode(target any) error {
	data, err := r.body()
	if err != nil {
		return err
	}
	return jsonstrict.Decode(data, jsonstrict.Limits{Bytes: maxBody, Depth: 64}, target)
}

func (r *Request) body() ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, Refuse(http.StatusBadRequest, "reading the body: %v", err)
	}
	if len(data) > maxBody {
		return nil, Refuse(http.StatusRequestEntityTooLarge, "a body may have %d bytes", maxBody)
	}
	return data, nil
}

// Query returns the request's query, refusing parameters that are not among the known.
func (r *Request) Query(known ...string) (map[string]string, error) {
	out := make(map[string]string)
	for name, values := range r.URL.Query() {
		i := 0
		for i < len(known) && known[i] != name {
			i++
		}
		if i == len(known) || len(values) != 1 {
			return nil, Refuse(http.StatusBadRequest, "query parameter %q is unknown or given twice; known here: %s", name, strings.Join(known, ", "))
		}
		out[name] = values[0]
	}
	return out, nil
}

// Wait reads a span such as "5s" from a query value; empty is none.
func Wait(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxWait {
		return 0, Refuse(http.StatusBadRequest, "wait must be a span between 0s and %s, for example 5s", maxWait)
	}
	return d, nil
}

// Count reads a number between 1 and most from a query value; empty is most.
func Count(name, text string, most int) (int, error) {
	if text == "" {
		return most, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, Refuse(http.StatusBadRequest, "%s must be a number between 1 and %d", name, most)
	}
	return n, nil
}

// Handler serves the endpoints below base, which begins and ends with a slash.
func Handler(base, title string, endpoints []Endpoint) http.Handler {
	mux := http.NewServeMux()
	for _, e := range endpoints {
		mux.HandleFunc(e.Method+" "+base+e.Path, func(w http.ResponseWriter, r *http.Request) {
			out, err := e.Handle(&Request{r})
			answer(w, out, err)
		})
	}
	mux.HandleFunc("GET "+base+"{$}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, index(base, title, r.Host, endpoints), nil)
	})
	mux.HandleFunc(base, func(w http.ResponseWriter, r *http.Request) {
		answer(w, nil, Refuse(http.StatusNotFound, "%s %s is not an endpoint; GET %s lists them", r.Method, r.URL.Path, base))
	})
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, nil, Refuse(http.StatusForbidden, "requests from web pages of another origin are refused"))
	}))
	return loopback(cross.Handler(mux))
}

type listed struct {
	Method  string `json:"method"`
	Path    string `json:"path"`
	Summary string `json:"summary"`
	Curl    string `json:"curl"`
}

func index(base, title, host string, endpoints []Endpoint) any {
	list := make([]listed, len(endpoints))
	url := "http://" + host + strings.TrimSuffix(base, "/")
	for i, e := range endpoints {
		list[i] = listed{e.Method, base + e.Path, e.Summary, "curl -s " + strings.ReplaceAll(e.Curl, "$SIM", url)}
	}
	return struct {
		Title     string   `json:"title"`
		Endpoints []listed `json:"endpoints"`
	}{title, list}
}

// loopback lets only this machine in, and only under a name of this machine: a page that points its own host name at
// 127.0.0.1 (DNS rebinding) is stopped by the second half.
func loopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil || !local(peer) {
			answer(w, nil, Refuse(http.StatusForbidden, "the control API serves this machine only"))
			return
		}
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if !local(host) {
			answer(w, nil, Refuse(http.StatusForbidden, "address the control API as 127.0.0.1 or localhost"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func local(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func answer(w http.ResponseWriter, out any, err error) {
	status, kind := http.StatusOK, "application/json"
	var bad *jsonstrict.Error
	var problem *Problem
	switch {
	case err == nil:
	case errors.As(err, &problem):
	case errors.As(err, &bad):
		problem = Refuse(http.StatusBadRequest, "%s", bad.Message)
		problem.Pointer = bad.Pointer
	default:
		problem = Refuse(http.StatusInternalServerError, "%s", err)
	}
	if problem != nil {
		status, kind, out = problem.Status, "application/problem+json", problem
	}
	if write, ok := out.(Answer); ok {
		write(w)
		return
	}
	if c, ok := out.(Created); ok {
		status, out = http.StatusCreated, c.Value
	}
	if out == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(out)
}

// Answer is an answer that an endpoint writes itself: a stream, or something that is not JSON.
type Answer func(http.ResponseWriter)

// Events writes server-sent events.
type Events struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

// NewEvents begins a stream whose reader may take so long for one event.
func NewEvents(w http.ResponseWriter, patience time.Duration) *Events {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // the request's would end the stream; where there is none, none has to go
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	return &Events{w, control, patience}
}

// Send sends a value under the name of its kind. It is false when nobody reads any more.
func (e *Events) Send(kind string, value any) bool {
	raw, err := json.Marshal(value)
	return err == nil && e.put(fmt.Sprintf("event: %s\ndata: %s\n\n", kind, raw))
}

// Beat shows that the stream lives.
func (e *Events) Beat() bool { return e.put(": alive\n\n") }

func (e *Events) put(text string) bool {
	if err := e.control.SetWriteDeadline(time.Now().Add(e.patience)); err != nil {
		return false
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return false
	}
	return e.control.Flush() == nil
}
