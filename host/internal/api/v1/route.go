package v1

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Right is what a token must allow.
type Right string

// The rights.
const (
	Read   Right = "read"   // look
	Send   Right = "send"   // make calls of actions, start runs
	Manage Right = "manage" // everything else
	// Anybody is the right of every token, and Nobody that of routes which need no token.
	Anybody Right = "any token"
	Nobody  Right = "none"
)

// Access says who may call a route.
type Access struct {
	Right Right
	Reach Reach
}

// Reach says which instances a token must be for.
type Reach int

// The reaches.
const (
	ByPath Reach = iota // the {instance} in the path; all when the path has none
	Any                 // any one: the handler checks which instance the request is about
	All                 // all, even when the path names one
)

// Caller is who makes a request.
type Caller struct {
	ID        string   // of the token; data stored under it belongs to this caller alone. Empty: the host's owner
	Instances []string // that the caller may work with; nil: all
	Rights    []Right  // that the caller has; nil: all
	Reveal    bool     // may see the numbers and texts of customers
}

// can says whether the caller has a right.
func (c Caller) can(r Right) bool { return c.Rights == nil || slices.Contains(c.Rights, r) }

// full says whether the caller may see the token of an instance, which itself may send, read and manage.
func (c Caller) full() bool { return c.can(Read) && c.can(Send) && c.can(Manage) }

// may says whether the caller may work with an instance.
func (c Caller) may(instance string) bool {
	return c.Instances == nil || slices.Contains(c.Instances, instance)
}

func (a *API) caller(ctx context.Context) Caller { return a.opt.CallerOf(ctx) }

// A route is one method of one path.
type route struct {
	method, path string
	id           string // operationId
	tag          string // the resource
	summary      string
	about        string // description
	access       Access
	status       int   // of success; 0 is 200, or 204 without a body
	refusals     []int // statuses of problems, beyond those that every route may have
	// body limits the size of the request's body; 0: the route takes none. types are its content types;
	// none means JSON.
	body  int64
	types []string
	// acts says whether a repeat of the request would act again; the answer is then kept under its
	// Idempotency-Key. Nil: no.
	acts func(*http.Request) bool
	// secret means that the answer contains a secret and is not kept: a repeat is only told that the
	// request has been carried out.
	secret bool
	// example is a valid body.
	example string
	// change may edit the description before package huma completes it from the Go types.
	change func(*huma.Operation)
}

// answerTime is how long a client may take to read an answer that is not a stream.
const answerTime = time.Minute

// serve registers a route. The fields of I with tags path, query and header are parameters; an I that
// embeds strict or source has a body. O follows package huma: a field Body, and headers.
func serve[I, O any](a *API, rt route, handle func(ctx context.Context, in *I) (*O, error)) {
	schemas := a.huma.OpenAPI().Components.Schemas
	op := huma.Operation{
		Method: rt.method, Path: rt.path, OperationID: rt.id, Tags: []string{rt.tag}, Summary: rt.summary, Description: rt.about,
		DefaultStatus: rt.status, RejectUnknownQueryParameters: true, SkipValidateBody: true, MaxBodyBytes: -1,
		Extensions: map[string]any{"x-right": rt.access.Right},
		Responses:  map[string]*huma.Response{"default": refusal(schemas, "Refused or failed")},
	}
	for _, status := range rt.refusals {
		op.Responses[strconv.Itoa(status)] = refusal(schemas, http.StatusText(status))
	}
	if rt.acts != nil {
		op.Parameters = append(op.Parameters, keyParameter)
	}
	if rt.change != nil {
		rt.change(&op)
	}
	huma.Register(entered{a.huma, a.mux, func(next http.Handler) http.Handler {
		return a.opt.Authorize(rt.access, a.enter(rt, next))
	}}, op, func(ctx context.Context, in *I) (*O, error) {
		if b, ok := any(in).(bodied); ok {
			if p := b.read(bodyIn(ctx)); p != nil {
				return nil, p
			}
		}
		return handle(ctx, in)
	})
	if b, ok := any(new(I)).(bodied); ok { // only after Register, or huma would read the body, too
		body := b.describe(schemas)
		for kind, content := range body.Content {
			content.Example = exampleOf(kind, rt.example)
		}
		described(a.huma.OpenAPI().Paths[rt.path], rt.method).RequestBody = body
	}
}

// exampleOf returns a body as OpenAPI shows it: JSON as a decoded value, anything else as text.
func exampleOf(kind, body string) any {
	var value any
	switch {
	case body == "":
		return nil
	case kind != jsonType:
		return body
	case json.Unmarshal([]byte(body), &value) != nil:
		return nil
	}
	return value
}

func described(at *huma.PathItem, method string) *huma.Operation {
	return map[string]*huma.Operation{http.MethodGet: at.Get, http.MethodPost: at.Post, http.MethodPut: at.Put, http.MethodDelete: at.Delete}[method]
}

// refusal describes a response that is a problem.
func refusal(schemas huma.Registry, what string) *huma.Response {
	return &huma.Response{Description: what, Content: map[string]*huma.MediaType{
		problemType: {Schema: schemas.Schema(reflect.TypeFor[problem](), true, "")},
	}}
}

// entered is huma's API with our own checks before each handler.
type entered struct {
	huma.API
	mux   *http.ServeMux
	enter func(next http.Handler) http.Handler
}

// Adapter implements huma.API.
func (e entered) Adapter() huma.Adapter { return adapter(e) }

type adapter entered

// Handle implements huma.Adapter.
func (e adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	e.mux.Handle(op.Method+" "+op.Path, e.enter(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler(humago.NewContext(op, r, w))
	})))
}

// ServeHTTP implements huma.Adapter.
func (e adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.mux.ServeHTTP(w, r) }

var inPath = regexp.MustCompile(`\{(\w+)\}`)

// enter makes the checks that huma leaves out, and reads the body.
func (a *API) enter(rt route, next http.Handler) http.Handler {
	var params []string
	for _, m := range inPath.FindAllStringSubmatch(rt.path, -1) {
		params = append(params, m[1])
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range params {
			if value := r.PathValue(name); !text(value) {
				write(w, refuse(http.StatusNotFound, "not_found", fmt.Sprintf("there is no such %s: its name is not UTF-8", name)))
				return
			}
		}
		if p := checkQuery(r); p != nil {
			write(w, p)
			return
		}
		if p := checkKey(r); p != nil {
			write(w, p)
			return
		}
		body, leave, p := a.readBody(w, r, rt)
		defer leave()
		if p != nil {
			write(w, p)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		w, r = &answer{ResponseWriter: w}, withBody(r, body)
		if a.opt.Answers != nil && rt.acts != nil && r.Header.Get(keyHeader) != "" && rt.acts(r) {
			a.once(w, r, rt, body, next)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// text says whether a value can be stored as text: UTF-8 without NUL.
func text(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// checkQuery refuses a parameter that is repeated or is not text.
func checkQuery(r *http.Request) *problem {
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return refuse(http.StatusBadRequest, "invalid_request", "the query is not well-formed: "+err.Error())
	}
	for name, values := range query {
		switch {
		case !text(name), slices.ContainsFunc(values, func(v string) bool { return !text(v) }):
			return refuse(http.StatusBadRequest, "invalid_request", "the query is not UTF-8 text")
		case len(values) > 1:
			return refuse(http.StatusBadRequest, "invalid_request", fmt.Sprintf("the parameter %.80q is given more than once", name),
				fault{Parameter: name, Code: "duplicate_parameter", Message: "it is given more than once"})
		}
	}
	return nil
}

// answer sets a deadline for the client to read the response, once the response begins.
type answer struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader implements http.ResponseWriter.
func (w *answer) WriteHeader(status int) {
	w.begin()
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *answer) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

func (w *answer) begin() {
	if !w.begun {
		w.begun = true
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(answerTime)) // not every writer supports deadlines
	}
}

// Unwrap gives http.ResponseController the underlying writer.
func (w *answer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// more is the paging part of a list's answer. Lists have the parameters after and limit; each input
// declares them itself, since package huma does not look into types that are not exported.
type more struct {
	Next string `json:"next,omitempty" doc:"Give it back as after, with the same other parameters; left out, the list ends here."`
}

// one is an answer with one value as its body.
type one[T any] struct {
	Body T
}
