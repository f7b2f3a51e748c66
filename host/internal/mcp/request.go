package mcp

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
)

// ask makes a request to the host's API as the caller of the tool. If heard is not nil, ask requests an
// event stream and passes each event to heard.
func (c *call) ask(method, path string, body []byte, heard func(event string, data []byte)) (a *answer) {
	a = &answer{header: http.Header{}, status: http.StatusOK, heard: heard}
	to, err := url.Parse(path)
	if err != nil {
		a.status = http.StatusBadRequest
		return a
	}
	r := c.http.Clone(c.ctx)
	r.Method, r.URL, r.RequestURI = method, to, path
	for _, name := range []string{"Content-Encoding", "Content-Length", "Transfer-Encoding", "Idempotency-Key"} {
		r.Header.Del(name)
	}
	r.Header.Set("Accept", "application/json")
	if heard != nil {
		r.Header.Set("Accept", "text/event-stream")
	}
	r.Header.Set("Content-Type", "application/json")
	if c.key != "" {
		r.Header.Set("Idempotency-Key", c.key)
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	defer func() {
		if p := recover(); p != nil { // as net/http does for requests from outside
			c.server.opt.Logger.Error("a request of a tool panicked", "tool", c.request.Params.Name, "panic", p, "stack", string(debug.Stack()))
			a.status = http.StatusInternalServerError
			a.body.Reset()
		}
	}()
	c.server.opt.API.ServeHTTP(a, r)
	return a
}

// answer is the response to a request: the body, or the rest of an event stream after the complete events.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
	heard  func(event string, data []byte)
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) { a.status = status }

// Flush implements http.Flusher. Nothing is buffered.
func (a *answer) Flush() {}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	n, err := a.body.Write(b)
	for a.heard != nil && a.header.Get("Content-Type") == "text/event-stream" {
		block, _, whole := bytes.Cut(a.body.Bytes(), []byte("\n\n"))
		if !whole {
			break
		}
		a.tell(a.body.Next(len(block) + 2))
	}
	return n, err
}

// tell passes one event to heard. Comments have neither name nor data.
func (a *answer) tell(block []byte) {
	var event string
	for line := range bytes.Lines(block) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if name, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
			event = string(name)
		}
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			a.heard(event, bytes.Clone(data))
		}
	}
}

// wait returns the seconds to wait before another try, 0 if the answer does not say.
func (a *answer) wait() int {
	seconds, err := strconv.Atoi(strings.TrimSpace(a.header.Get("Retry-After")))
	if err != nil {
		return 0
	}
	return seconds
}
