// Package mcp serves the host to assistants and programs that speak the Model Context Protocol, over
// streamable HTTP: each operation of a node is a tool, and so is what clients of the seed's product call
// there, under its names.
//
// What it guarantees:
//
//   - A tool does what one request of the HTTP API does, as the same caller: rights, limits, idempotency,
//     records and words are those of that request, and nothing can be done here that could not be done there.
//   - A token sees the tools that it may use, and no others.
//   - Nothing is kept between requests. There are no sessions that could be stolen, or left behind by
//     clients that never end theirs; the versions of the protocol that have sessions work without.
//   - A request has a limit and one message in it, so that a limit of requests is one of calls; an answer
//     has a deadline for whoever reads it, and a call ends with its request.
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
	// maxBody is for a message with an input in it that the contract can carry.
	maxBody = sdk.MaxMessage - 32<<10
	// patience is how long a reader may take for a part of an answer.
	patience = 10 * time.Second
)

// Options configure a Server. API and CallerOf are required.
type Options struct {
	// API answers the requests that tools stand for. They have the context of a request that was let in,
	// with who makes it, and count against no limit of requests any more.
	API        http.Handler
	CallerOf   func(ctx context.Context) v1.Caller
	Operations []sdk.OperationManifest // of the nodes
	Seed       bool                    // the API has the seed's endpoints
	Logger     *slog.Logger
}

// Server answers at one path. It has nothing that must be stopped.
type Server struct {
	opt     Options
	tools   map[string]tool
	handler http.Handler
}

// New is ready to answer.
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
			opt.Logger.Warn("an operation is no tool at /mcp", "tool", t.about.Name, "err", err)
		}
	}
	server.AddReceivingMiddleware(s.restrict)
	s.handler = mcpsdk.NewStreamableHTTPHandler(func(*http.Request) *mcpsdk.Server { return server }, &mcpsdk.StreamableHTTPOptions{
		Stateless:                  true,
		MaxRequestBodyBytes:        -1,   // the body was read already
		DisableLocalhostProtection: true, // the host looks at Host itself, and knows which names it has
	})
	return s, nil
}

// add makes a tool known. What a node says of itself may be what the library refuses by a panic.
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

// httpKey is where a call finds the request that it came by.
type httpKey struct{}

// ServeHTTP answers a request that was let in.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep progress back
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody))
		return
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "the body ended early")
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // the server's would end the context of a long answer
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
		refuse(w, http.StatusBadRequest, "batches are not taken: send one message in a request")
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), httpKey{}, r))
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.handler.ServeHTTP(patient{w}, r)
}

// refuse answers what is no message of the protocol.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":%q}}`, message) // the client is gone: nobody to tell
}

// patient gives whoever reads an answer a time for each part of it.
type patient struct{ http.ResponseWriter }

// Write is http.ResponseWriter's.
func (w patient) Write(b []byte) (int, error) {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(patience)) // not every writer has one
	return w.ResponseWriter.Write(b)
}

// Unwrap lets an http.ResponseController find what the writer can do.
func (w patient) Unwrap() http.ResponseWriter { return w.ResponseWriter }
