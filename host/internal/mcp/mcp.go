// Package mcp serves the host to assistants and programs that speak the Model Context Protocol, over
// streamable HTTP. Each operation of a node is a tool, and so is each tool that clients of the seed's
// product call, under the seed's name.
//
// What it guarantees:
//
//   - A tool does what one request of the HTTP API does, as the same caller: the rights, limits,
//     idempotency, records and messages are those of that request, and nothing can be done here that cannot
//     be done there.
//   - A token sees the tools that it may use, and no others.
//   - Nothing is kept between requests. There are no sessions that could be stolen, or left behind by
//     clients that never end theirs; the versions of the protocol that have sessions work without them.
//   - A request is limited in size and contains one message, so that a limit on requests limits the calls,
//     too. The client has a deadline to read the answer, and a call ends with its request.
package mcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/tapnode/tapnode/host/internal/api/v1"
	"github.com/tapnode/tapnode/sdk"
)

const (
	// maxBody leaves room for the largest input that the contract can carry.
	maxBody = sdk.MaxMessage - 32<<10
	// patience is how long a client may take to read a part of an answer.
	patience = 10 * time.Second
)

// Options configure a Server. API and CallerOf are required.
type Options struct {
	// API answers the requests that tools stand for. Their context is that of a request that was let in,
	// with its caller, so they do not count against the limit of requests again.
	API        http.Handler
	CallerOf   func(ctx context.Context) v1.Caller
	Operations []sdk.OperationManifest // of the nodes
	Seed       bool                    // the API has the seed's endpoints
	Logger     *slog.Logger
}

// Server answers at one path. It holds no resource that has to be released.
type Server struct {
	opt     Options
	tools   map[string]tool
	handler http.Handler
}

// New makes a Server with the tools of all operations.
func New(opt Options) (*Server, error) {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	s := &Server{opt: opt, tools: map[string]tool{}}
	server := mcpsdk.NewServer(&mcpsdk.Implementation{Name: "tapnode", Title: "Tapnode", Version: sdk.Version}, &mcpsdk.ServerOptions{
		Instructions: instructions,
		Capabilities: &mcpsdk.ServerCapabilities{Tools: &mcpsdk.ToolCapabilities{}},
	})
	all, err := s.all()
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		if _, taken := s.tools[t.about.Name]; taken {
			return nil, fmt.Errorf("two tools have the name %s", t.about.Name)
		}
		if err := s.add(server, t); err != nil {
			opt.Logger.Warn("an operation is not offered as a tool at /mcp", "tool", t.about.Name, "err", err)
		}
	}
	server.AddReceivingMiddleware(s.restrict)
	s.handler = mcpsdk.NewStreamableHTTPHandler(func(*http.Request) *mcpsdk.Server { return server }, &mcpsdk.StreamableHTTPOptions{
		Stateless:                  true,
		MaxRequestBodyBytes:        -1,   // ServeHTTP has read the body already
		DisableLocalhostProtection: true, // package front checks Host against the names that the host has
	})
	return s, nil
}

// add registers a tool. The library panics if it refuses a node's description.
func (s *Server) add(server *mcpsdk.Server, t tool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	server.AddTool(t.about, s.handle(t))
	s.tools[t.about.Name] = t
	return nil
}

const instructions = "Tapnode sends WhatsApp messages with buttons, and tells which button was tapped. An instance is a WhatsApp account: " +
	"instance_list shows them, instance_connect pairs one with a phone. Give a send an idempotencyKey, and repeat it with the same one when you do not know what became of it."

// httpKey is the context key under which a call finds its HTTP request.
type httpKey struct{}

// ServeHTTP answers a request that was let in.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("X-Accel-Buffering", "no") // or nginx would buffer the progress
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody))
		return
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "the body ended early")
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // the server's would cancel the context of a long answer
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
		refuse(w, http.StatusBadRequest, "batches are not taken: send one message in a request")
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), httpKey{}, r))
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.handler.ServeHTTP(patient{w}, r)
}

// refuse answers a request that is not a message of the protocol.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":%q}}`, message) // fails only when the client is gone
}

// patient sets a deadline for the client to read each part of an answer.
type patient struct{ http.ResponseWriter }

// Write implements http.ResponseWriter.
func (w patient) Write(b []byte) (int, error) {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(patience)) // not every writer supports deadlines
	return w.ResponseWriter.Write(b)
}

// Unwrap gives http.ResponseController the underlying writer.
func (w patient) Unwrap() http.ResponseWriter { return w.ResponseWriter }
