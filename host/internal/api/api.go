// Package api serves HTTP: the seed's API under /api, the host's own API under /v1 (package v1), tools
// for assistants under /mcp, events over WebSocket under /ws, webhooks of flows under /hooks, health under
// /healthz and /readyz.
//
// An endpoint under /api exists because an operation's manifest names it (sdk.Route), or because package
// seed answers it. This package adds the envelopes, tokens and limits.
//
// What it guarantees: every request has a deadline and a size limit; nothing is executed without a token
// of a scope that covers the instance (package access); a slow WebSocket reader is disconnected and never
// holds up others; Stop ends every stream.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/host/internal/answers"
	"github.com/tapnode/tapnode/host/internal/api/v1"
	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/host/internal/feed"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/front"
	"github.com/tapnode/tapnode/host/internal/mcp"
	"github.com/tapnode/tapnode/host/internal/seed"
	"github.com/tapnode/tapnode/host/web"
	"github.com/tapnode/tapnode/sdk"
)

// Call is one request for an operation.
type Call struct {
	Operation string // operation id
	Input     []byte // JSON
	Key       string // idempotency key; "" when the caller gave none
}

// Outcome is what an operation answered.
type Outcome struct {
	Output   []byte // JSON
	Warnings []sdk.Warning
	Replayed bool
}

// Options configure a Server. Invoke, Operations and Access are required.
type Options struct {
	Listen     string   // host:port
	Hosts      []string // see front.Options, also for the next three
	CertFile   string
	KeyFile    string
	Proxies    []string
	Operations []sdk.OperationManifest
	Access     *access.Access
	Invoke     func(ctx context.Context, call Call) (Outcome, error) // error: *sdk.Problem, or any other for an unreachable node
	Ready      func() Readiness                                      // nil: ready for work
	Engine     *engine.Engine                                        // for runs under /v1; nil leaves them out
	Cluster    v1.Hosts                                              // for hosts under /v1; nil leaves them out
	Nodes      v1.Nodes                                              // for nodes under /v1; nil leaves them out
	Flows      v1.Flows                                              // for versions of flows under /v1; nil leaves them out
	Catalogue  *flow.Catalogue                                       // for operations under /v1, with Calls
	Calls      v1.Calls                                              // for operations and instances under /v1; nil leaves them out
	Answers    *answers.Store                                        // for Idempotency-Keys under /v1; nil leaves them out
	Secrets    map[string][]byte                                     // of the webhooks of flows, by the name that a flow gives
	Seed       *seed.API                                             // the rest of the seed's API; nil leaves it out
	Events     *events.Service                                       // for sockets, events and webhooks under /v1; nil leaves them out
	Origins    []string                                              // of web pages that may call, such as https://crm.example
	Simulated  bool                                                  // WhatsApp is simulated; GET /v1/session says so
	Picture    string                                                // of a simulation, for examples that show one
	Extra      map[string]http.Handler                               // further ServeMux patterns, such as the simulator's control API
	Metrics    http.Handler                                          // GET /metrics; nil leaves it out
	Answered   func(route, status string, took time.Duration)        // called after each answered request; optional
	Logger     *slog.Logger
	Now        func() time.Time // nil means time.Now
}

// Server is the HTTP side of a host. Call Start and Stop once each.
type Server struct {
	opt      Options
	front    *front.Front
	places   *feed.Places
	tail     *feed.Tail // nil without Options.Events
	sockets  sockets
	http     *http.Server
	listener net.Listener
	control  *http.Server // see Control
}

// New checks the options and builds the routes.
func New(opt Options) (*Server, error) {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	door, err := front.New(front.Options{Listen: opt.Listen, Hosts: opt.Hosts, CertFile: opt.CertFile, KeyFile: opt.KeyFile, Proxies: opt.Proxies, Deny: deny, Logger: opt.Logger})
	if err != nil {
		return nil, err
	}
	s := &Server{opt: opt, front: door, places: feed.NewPlaces(), sockets: newSockets()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	if opt.Metrics != nil {
		mux.Handle("GET /metrics", s.hereOrAccount(opt.Metrics))
	}
	if opt.Events != nil {
		s.tail = feed.NewTail(opt.Events, opt.Logger)
		mux.Handle("GET /ws/{instance}", s.authorized(http.HandlerFunc(s.socket)))
	}
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	for _, op := range opt.Operations {
		for _, route := range seed.Routes(op) {
			if err := s.mount(mux, op, route); err != nil {
				return nil, fmt.Errorf("mount %s at %s %s: %w", op.ID, route.Method, route.Path, err)
			}
		}
	}
	if opt.Seed != nil {
		s.seed(mux, opt.Seed)
	}
	if opt.Engine != nil {
		s.hooks(mux, opt.Engine)
	}
	builder, err := web.Handler()
	if err != nil {
		return nil, err
	}
	mux.Handle("GET "+web.Prefix, builder)
	mux.Handle("GET /{$}", http.RedirectHandler(web.Prefix, http.StatusFound))
	for pattern, handler := range opt.Extra {
		mux.Handle(pattern, s.ending(handler))
	}
	under := v1.Options{
		Authorize: s.allowed, CallerOf: callerOf, HolderOf: holderOf, Note: about, Tokens: opt.Access, Sessions: doors{s}, Picture: opt.Picture, Nodes: opt.Nodes, Hosts: opt.Cluster, Engine: opt.Engine, Flows: opt.Flows, Catalogue: opt.Catalogue, Calls: opt.Calls,
		Answers: opt.Answers, Events: opt.Events, Feed: s.tail, Origins: opt.Origins, Places: s.places, Valid: s.valid, Logger: opt.Logger,
	}
	if opt.Seed != nil {
		under.Instances = opt.Seed
	}
	resources, err := v1.New(under)
	if err != nil {
		return nil, err
	}
	mux.Handle("/v1/", resources)
	served := enveloped(mux, resources)
	tools, err := mcp.New(mcp.Options{API: served, CallerOf: callerOf, Operations: opt.Operations, Seed: opt.Seed != nil, Logger: opt.Logger})
	if err != nil {
		return nil, err
	}
	mux.Handle("/mcp", s.entered(tools))
	pages, err := s.pages(served)
	if err != nil {
		return nil, err
	}
	s.http = s.server(s.measured(s.front.Handler(pages)))
	s.control = s.server(trusted(served))
	return s, nil
}

func (s *Server) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.opt.Logger.Handler(), slog.LevelDebug),
	}
}

// readTime is how long a client may take to read an answer that is not a stream.
const readTime = time.Minute

// Start listens and serves until Stop. It returns once the address is bound.
func (s *Server) Start(ctx context.Context) error {
	l, err := s.front.Listen(ctx)
	if err != nil {
		return err
	}
	s.listener = l
	if s.tail != nil {
		s.tail.Start()
	}
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.opt.Logger.Error("http server ended", "err", err)
		}
	}()
	return nil
}

// URL returns the base address, e.g. "http://127.0.0.1:8080". Call it only after Start.
func (s *Server) URL() string { return s.front.URL(s.listener) }

// Stop ends WebSockets and streams, waits for running requests until ctx ends, then cuts them off. It may
// be called on a server that was not started.
func (s *Server) Stop(ctx context.Context) error {
	s.places.End()
	var errs []error
	for _, server := range []*http.Server{s.http, s.control} {
		err := server.Shutdown(ctx)
		if err != nil {
			err = errors.Join(err, server.Close())
		}
		errs = append(errs, err)
	}
	errs = append(errs, s.places.Wait(ctx))
	if s.tail != nil {
		s.tail.Stop()
	}
	return errors.Join(errs...)
}

// ending ends the answer to a GET, such as a stream, when the server stops.
func (s *Server) ending(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		ctx, end := feed.NewSession(s.places, nil).Watch(r.Context(), nil)
		defer end()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// hereOrAccount admits callers that may see all instances: a request made directly from this machine, or
// one with an account token.
func (s *Server) hereOrAccount(next http.Handler) http.Handler {
	authorized := s.authorized(accountOnly(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if front.IsHere(r) {
			next.ServeHTTP(w, r)
			return
		}
		authorized.ServeHTTP(w, r)
	})
}

// LocalOnly refuses requests from other machines and those that a reverse proxy passes on. It is for
// handlers that need no token and serve this machine alone.
func LocalOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !front.IsHere(r) {
			fail(w, http.StatusForbidden, "forbidden", "this endpoint answers to this machine only, not through a proxy")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// measured calls Options.Answered after each request.
func (s *Server) measured(next http.Handler) http.Handler {
	if s.opt.Answered == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.opt.Now()
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		s.opt.Answered(r.Pattern, strconv.Itoa(seen.status), s.opt.Now().Sub(began))
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap gives http.ResponseController the underlying writer.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
