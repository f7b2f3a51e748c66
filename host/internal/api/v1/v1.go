// Package v1 is the API under /v1: everything the host does, as resources over HTTP, one file for each.
//
// What it guarantees:
//
//   - The OpenAPI 3.1 document at /v1/openapi.json is generated from the Go types and routes that serve
//     the requests, so the two agree; a test runs its examples.
//   - Requests are read strictly: a member, a query parameter or a value that is not described is refused
//     before the request has any effect, and the refusal names it by JSON Pointer or by name.
//   - Every refusal is an RFC 9457 problem with a stable code.
//   - A body is limited in size and time before it reaches a handler, the client has a deadline to read
//     an answer, and the number of streams is limited.
//   - Options.Authorize alone decides who may call a route, before anything of the request but its head
//     is read.
package v1

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"golang.org/x/sync/semaphore"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/host/internal/answers"
	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/host/internal/feed"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// Options configure an API. The routes of a nil field are left out; Authorize and CallerOf are required.
type Options struct {
	// Authorize passes a request on to next if its token grants the access, and answers any other with
	// Refuse. CallerOf returns the caller of an authorized request.
	Authorize func(access Access, next http.Handler) http.Handler
	CallerOf  func(ctx context.Context) Caller
	// HolderOf returns the same caller as package access knows it, and Note records in the audit log what
	// the path of a request does not say; both come with Tokens.
	HolderOf  func(ctx context.Context) access.Caller
	Note      func(ctx context.Context, what string)
	Tokens    Tokens
	Sessions  Sessions // with Tokens
	Nodes     Nodes
	Hosts     Hosts
	Engine    *engine.Engine // for runs, waits, dead letters and versions
	Flows     Flows
	Picture   string          // of a simulation, for examples that show one
	Catalogue *flow.Catalogue // for operations, with Calls
	Calls     Calls
	Instances Instances       // with Calls
	Answers   *answers.Store  // for Idempotency-Keys; nil ignores them where no operation keeps them itself
	Events    *events.Service // for webhooks
	Feed      *feed.Tail      // for events
	Origins   []string        // of web pages that may open sockets
	Places    *feed.Places    // of streams; required
	// Valid says whether the token of a request with an open stream is still valid.
	Valid  func(ctx context.Context, r *http.Request) bool
	Logger *slog.Logger
}

// API serves the routes. New makes it; it holds no resource that has to be released.
type API struct {
	opt      Options
	mux      *http.ServeMux
	huma     huma.API
	logger   *slog.Logger
	bodies   *semaphore.Weighted
	bodyTime time.Duration
	patience time.Duration // how long a stream waits for a slow reader
	changing sync.Mutex    // held while the versions of a flow change
}

// New builds the routes.
func New(opt Options) (*API, error) {
	a := &API{opt: opt, mux: http.NewServeMux(), bodies: semaphore.NewWeighted(bodyRoom), bodyTime: bodyTime, patience: streamPatience, logger: opt.Logger}
	if a.logger == nil {
		a.logger = slog.Default()
	}
	problems()
	a.huma = huma.NewAPI(config(), humago.NewAdapter(a.mux, ""))
	if opt.Nodes != nil {
		a.nodes(opt.Nodes)
	}
	if opt.Hosts != nil {
		a.hosts(opt.Hosts)
	}
	if opt.Tokens != nil {
		a.tokens(opt.Tokens)
		a.sessions(opt.Sessions)
	}
	if opt.Engine != nil {
		a.runs(opt.Engine)
		a.letters(opt.Engine)
		a.waits(opt.Engine)
		a.insights(opt.Engine)
		a.watch(opt.Engine)
	}
	if opt.Catalogue != nil && opt.Calls != nil {
		a.operations(opt.Catalogue, opt.Calls)
		a.execution(opt.Catalogue, opt.Calls)
	}
	if opt.Instances != nil && opt.Calls != nil && opt.Calls.Offers(opList) {
		a.instances(opt.Calls, opt.Instances)
	}
	if opt.Flows != nil {
		a.flows(opt.Flows, opt.Engine)
		a.expressions()
	}
	if opt.Events != nil {
		if err := a.catalogue(); err != nil {
			return nil, err
		}
		a.webhooks(opt.Events)
		a.deliveries(opt.Events)
		a.clicks(opt.Events)
	}
	if opt.Feed != nil {
		a.events(opt.Feed)
	}
	a.describe()
	return a, nil
}

// ServeHTTP serves the routes and answers a path without a route with a problem, never with a redirect.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if asked := r.URL.EscapedPath(); asked != "/v1/" && path.Clean(asked) != asked {
		write(w, refuse(http.StatusNotFound, "not_found", "there is no such resource: the path is not clean"))
		return
	}
	refusal, pattern := a.mux.Handler(r)
	if pattern != "" {
		a.mux.ServeHTTP(w, r)
		return
	}
	heard := &listener{header: http.Header{}, status: http.StatusNotFound}
	refusal.ServeHTTP(heard, r)
	if heard.status == http.StatusMethodNotAllowed {
		allow := heard.header.Get("Allow")
		w.Header().Set("Allow", allow)
		write(w, refuse(heard.status, "method_not_allowed", "use "+strings.ReplaceAll(allow, ", ", " or ")))
		return
	}
	write(w, refuse(http.StatusNotFound, "not_found", "there is no such resource; GET /v1/openapi.json describes those there are"))
}

// listener records how ServeMux answers a request that matches no route.
type listener struct {
	header http.Header
	status int
}

func (l *listener) Header() http.Header         { return l.header }
func (l *listener) Write(b []byte) (int, error) { return len(b), nil }
func (l *listener) WriteHeader(status int)      { l.status = status }

// revealed says whether to show the numbers and texts of customers and flows. It refuses a request that
// asks for them without a token that may see them.
func (a *API) revealed(ctx context.Context, asked bool) (bool, error) {
	if asked && !a.caller(ctx).Reveal {
		return false, refuse(http.StatusForbidden, "not_revealed", "numbers and texts need a token with the scope reveal")
	}
	return asked, nil
}
