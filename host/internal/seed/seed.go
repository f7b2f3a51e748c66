// Package seed is the seed's API for instances, messages and the destinations of events, compatible
// with the clients of the seed's product. Package api adds HTTP, authentication and limits.
//
// What it guarantees:
//
//   - An instance's token is derived from a secret of the server and the instance's rotation:
//     the account can see it at any time, and it is stored nowhere. It ends with the instance.
//   - The configuration of an instance belongs to it, is bounded, and ends with it.
//   - A pairing that a client has begun continues after the client has got its QR code; it ends
//     by itself after [pairTime], and with Stop at the latest.
//   - Unknown members of a request are ignored and named in a warning.
package seed

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// Options configure an API. All but Now are required.
type Options struct {
	DB     *sqldb.DB // with the host's tables
	Secret []byte    // of the server, see [Secret]
	Call   func(ctx context.Context, r client.Request, progress func(client.Progress)) (client.Result, error)
	Hooks  *events.Service  // stores and calls webhooks
	Now    func() time.Time // nil means time.Now
}

// API answers requests. It publishes events of instances after Start. Call Stop once, even without
// Start.
type API struct {
	call     func(ctx context.Context, r client.Request, progress func(client.Progress)) (client.Result, error)
	store    store
	hooks    *events.Service
	secret   []byte
	pairings *pairings
	watch    watch
	// configured is called when the settings of an instance's sockets change; see [API.OnWebsocket].
	configured func(instance string, w Websocket)
}

// New returns an API that is ready to answer requests.
func New(opt Options) *API {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	a := &API{call: opt.Call, store: store{opt.DB, opt.Now, opt.Hooks}, hooks: opt.Hooks, secret: opt.Secret, configured: func(string, Websocket) {}}
	a.pairings = newPairings(a)
	a.watch = watch{wake: make(chan struct{}, 1), changed: map[string]bool{}, told: map[string]string{}}
	return a
}

// OnWebsocket sets the function to call when the settings of an instance's sockets change. Call
// OnWebsocket before the first request.
func (a *API) OnWebsocket(hears func(instance string, w Websocket)) { a.configured = hears }

// Stop ends the pairings and the publishing that Start began, and waits for both until ctx ends.
func (a *API) Stop(ctx context.Context) error { return a.pairings.stop(ctx) }

// Request is an authorized request.
type Request struct {
	Instance string // from the path; "" if the path has none
	Query    url.Values
	Body     []byte
	Caller   access.Caller
}

// Answer is the response to a request that succeeded.
type Answer struct {
	Status   int // the HTTP status; 0 means 200
	Message  string
	State    string         // the member status; optional
	Members  map[string]any // members at the top level
	Data     any            // the member data; nil means Members
	Warnings []sdk.Warning
}

// Endpoint is a kind of request that the API answers. An error of Answer is a *sdk.Problem, or
// another error if a node or the database cannot be reached.
type Endpoint struct {
	Pattern  string       // for http.ServeMux
	Scope    access.Scope // that the caller needs
	Account  bool         // only for callers with access to all instances
	Creation bool         // also counts as a creation
	Answer   func(context.Context, Request) (Answer, error)
}

// Endpoints returns all endpoints of the API.
func (a *API) Endpoints() []Endpoint {
	return append(missing(), []Endpoint{
		{Pattern: "POST /api/instance/new", Scope: access.Manage, Account: true, Creation: true, Answer: a.create},
		{Pattern: "GET /api/instance/list", Scope: access.Read, Answer: a.list},
		{Pattern: "GET /api/instance/connect/{instance}", Scope: access.Manage, Answer: a.connect},
		{Pattern: "POST /api/instance/reconnect/{instance}", Scope: access.Manage, Answer: a.reconnect},
		{Pattern: "DELETE /api/instance/logout/{instance}", Scope: access.Manage, Answer: a.logout},
		{Pattern: "DELETE /api/instance/delete/{instance}", Scope: access.Manage, Account: true, Answer: a.remove},
		{Pattern: "GET /api/chat/getMessage/{instance}", Scope: access.Read, Answer: a.getMessage},
		{Pattern: "GET /api/chat/status/{instance}", Scope: access.Read, Answer: a.messageStatus},
		{Pattern: "GET /api/chat/contacts/{instance}", Scope: access.Read, Answer: a.contacts},
		{Pattern: "GET /api/profile/getAccount/{instance}", Scope: access.Read, Answer: a.account},
		{Pattern: "POST /api/events/webhook/{instance}", Scope: access.Manage, Answer: a.setWebhook},
		{Pattern: "GET /api/events/webhook/{instance}", Scope: access.Manage, Answer: a.getWebhook},
		{Pattern: "GET /api/events/getWebhook/{instance}", Scope: access.Manage, Answer: a.getWebhook},
		{Pattern: "POST /api/events/websocket/{instance}", Scope: access.Manage, Answer: a.setWebsocket},
		{Pattern: "GET /api/events/getWebsocket/{instance}", Scope: access.Read, Answer: a.getWebsocket},
	}...)
}

// run calls an operation of the node that has the instances, and decodes its output.
func (a *API) run(ctx context.Context, operation string, input, output any) error {
	raw, err := json.Marshal(input)
	if err != nil {
		return err
	}
	result, err := a.call(ctx, client.Request{Operation: operation, Input: raw}, nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(result.Output, output)
}

// refuse returns a problem that is the caller's fault and had no effect.
func refuse(status int, code, message string) error {
	return &sdk.Problem{Code: code, HTTPStatus: status, Message: message, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}
}

// isStatus reports whether an error is a problem with this HTTP status.
func isStatus(err error, status int) bool {
	p, ok := errors.AsType[*sdk.Problem](err)
	return ok && p.HTTPStatus == status
}

// stored turns an error of the database into a problem for the caller; nil stays nil.
func stored(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*sdk.Problem](err); ok {
		return err
	}
	return &sdk.Problem{
		Code: "storage", HTTPStatus: http.StatusServiceUnavailable, Message: "The database of the host cannot be used: " + sqldb.Reason(err),
		Effect: sdk.EffectUnknown, Retryable: true, Fault: sdk.FaultNode, Err: err,
	}
}
