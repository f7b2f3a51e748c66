package v1

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk"
)

// strict is a body of one JSON document, read strictly into in. Embed it in the input of a route. An
// empty body counts as {}.
type strict[T any] struct{ in T }

// bodied is an input with a body.
type bodied interface {
	describe(schemas huma.Registry) *huma.RequestBody
	read(body []byte) *problem
}

const jsonType = "application/json"

func (b *strict[T]) describe(schemas huma.Registry) *huma.RequestBody {
	return &huma.RequestBody{Content: map[string]*huma.MediaType{jsonType: {Schema: schemas.Schema(reflect.TypeFor[T](), true, "")}}}
}

// bounds are the limits of every body besides its size, which the route limits.
var bounds = jsonstrict.Limits{Depth: 64, Values: 100_000, Digits: 100, NoNUL: true}

func (b *strict[T]) read(body []byte) *problem {
	if len(body) == 0 {
		body = []byte("{}")
	}
	err := jsonstrict.Decode(body, bounds, &b.in)
	if fault, ok := errors.AsType[*jsonstrict.Error](err); ok {
		where := ""
		if fault.Pointer != "" {
			where = fmt.Sprintf(" at %.80s", fault.Pointer)
		}
		return refuse(http.StatusBadRequest, "invalid_body", "the body is not what this takes"+where+": "+fault.Message, faultsOf(*fault)...)
	}
	return nil
}

const (
	// smallBody is the limit for requests of a few members.
	smallBody = 64 << 10
	// bodyTime is how long a body may take to arrive.
	bodyTime = 30 * time.Second
	// bodyRoom limits the bytes that all bodies above smallBody take at the same time.
	bodyRoom = 128 << 20
)

var errBusy = errors.New("there is no room for another large body")

// read reads a body. One above smallBody takes its size from bodyRoom; leave gives that back.
func (a *API) read(from io.Reader, size int64) (body []byte, leave func(), err error) {
	leave = func() {}
	body, err = io.ReadAll(io.LimitReader(from, smallBody))
	if err != nil || len(body) < smallBody {
		return body, leave, err
	}
	if !a.bodies.TryAcquire(size) {
		return nil, leave, errBusy
	}
	leave = func() { a.bodies.Release(size) }
	all := bytes.NewBuffer(body)
	_, err = all.ReadFrom(from)
	return all.Bytes(), leave, err
}

// readBody reads the body of a request within its limits; call leave once the body is no longer used.
// A route without a body accepts an empty one or {}.
func (a *API) readBody(w http.ResponseWriter, r *http.Request, rt route) (body []byte, leave func(), p *problem) {
	control := http.NewResponseController(w)
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		_ = control.SetReadDeadline(time.Time{})
		return nil, func() {}, nil
	}
	_ = control.SetReadDeadline(time.Now().Add(a.bodyTime)) // a writer without deadlines keeps the server's
	limit := max(rt.body, 2)
	size := limit
	if r.ContentLength >= 0 {
		size = min(r.ContentLength, limit)
	}
	body, leave, err := a.read(http.MaxBytesReader(w, r.Body, limit), size)
	if p := a.unreadable(err, rt, limit); p != nil {
		return nil, leave, p
	}
	_ = control.SetReadDeadline(time.Time{}) // or it would cancel the context of a long answer
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, leave, nil
	}
	if rt.body == 0 && string(body) != "{}" {
		return nil, leave, refuse(http.StatusBadRequest, "invalid_body", "this takes no body")
	}
	return body, leave, checkType(r, rt)
}

// unreadable turns an error of reading a body into a problem; nil stays nil.
func (a *API) unreadable(err error, rt route, limit int64) *problem {
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	slow, _ := errors.AsType[net.Error](err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errBusy):
		return refuse(http.StatusServiceUnavailable, "busy", "too many large bodies are being read; try again in a moment").with("Retry-After", "1")
	case tooLarge && rt.body == 0:
		return refuse(http.StatusBadRequest, "invalid_body", "this takes no body")
	case tooLarge:
		return refuse(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the body is larger than %d bytes", limit))
	case slow != nil && slow.Timeout():
		return refuse(http.StatusRequestTimeout, "too_slow", fmt.Sprintf("the body did not come within %v", a.bodyTime)).with("Connection", "close")
	}
	return refuse(http.StatusBadRequest, "invalid_body", "the body ended early, or its encoding is broken").with("Connection", "close")
}

// checkType refuses a content type that the route does not take. A client may leave the header out.
func checkType(r *http.Request, rt route) *problem {
	types := rt.types
	if len(types) == 0 {
		types = []string{jsonType}
	}
	unsupported := func(format string, args ...any) *problem {
		return refuse(http.StatusUnsupportedMediaType, "unsupported_media_type", fmt.Sprintf(format, args...)).with("Accept-Post", strings.Join(types, ", "))
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return unsupported("the body has the Content-Encoding %.40q; send it without", encoding)
	}
	given := r.Header.Values("Content-Type")
	if len(given) == 0 {
		return nil
	}
	kind, params, err := mime.ParseMediaType(given[0])
	switch charset := params["charset"]; {
	case err != nil, len(given) > 1, !slices.Contains(types, kind):
		return unsupported("the Content-Type is %.80q; this takes %s", given[0], strings.Join(types, " or "))
	case charset != "" && !strings.EqualFold(charset, "utf-8"):
		return unsupported("the charset is %.40q; send UTF-8", charset)
	}
	return nil
}

type bodyKey struct{}

// withBody returns the request with its body, already read, in the context.
func withBody(r *http.Request, body []byte) *http.Request {
	r.Body = http.NoBody // huma would copy the body once more
	return r.WithContext(context.WithValue(r.Context(), bodyKey{}, body))
}

// bodyIn returns the body that withBody stored.
func bodyIn(ctx context.Context) []byte {
	body, _ := ctx.Value(bodyKey{}).([]byte)
	return body
}

// parseQuery parses a query and refuses every semicolon.
func parseQuery(raw string) (url.Values, error) {
	if strings.Contains(raw, ";") {
		return nil, errors.New("there is a ; in it, write %3B")
	}
	return url.ParseQuery(raw)
}

// object is a JSON object that is passed on undecoded.
type object struct{ sdk.JSON }

// UnmarshalJSON implements json.Unmarshaler.
func (o *object) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '{' {
		return errors.New("it must be an object")
	}
	return o.JSON.UnmarshalJSON(b)
}

// Schema implements huma.SchemaProvider.
func (object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}
