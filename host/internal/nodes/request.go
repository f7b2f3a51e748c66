package nodes

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/internal/netguard"
	"github.com/tapnode/tapnode/sdk"
)

// Bounds of one http.request.
const (
	maxRedirects  = 3
	maxBody       = 256 << 10 // bytes, of request and response each
	maxHeaders    = 32 << 10
	defaultWait   = 15 * time.Second
	maxRetryAfter = time.Hour
)

// errRedirect means that a redirect was not followed.
var errRedirect = errors.New("redirect refused")

// requestNode is http.request@1.
type requestNode struct{ client *http.Client }

func newRequestNode(allowPrivate bool) requestNode {
	guard := &netguard.Guard{Private: allowPrivate}
	return requestNode{&http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would dial for us and bypass the guard
			DialContext:            guard.DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  time.Minute,
			MaxResponseHeaderBytes: maxHeaders,
			MaxIdleConns:           50,
			MaxConnsPerHost:        50,
			IdleConnTimeout:        30 * time.Second,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("%w: more than %d", errRedirect, maxRedirects)
			}
			if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
				return fmt.Errorf("%w: it leads to a %s address", errRedirect, req.URL.Scheme)
			}
			return nil
		},
	}}
}

func (requestNode) Operation() flow.Operation {
	return flow.Operation{OperationManifest: sdk.OperationManifest{
		ID: "http.request@1", Kind: sdk.KindAction, Title: "HTTP request", Summary: "Calls a web service.", Icon: "globe",
		Input: schema("request.input"), Output: schema("request.output"),
		Ports:  []sdk.Port{{ID: flow.PortOut, Label: "Answered"}, {ID: flow.PortError, Label: "Failed"}},
		Replay: sdk.Unsafe,
	}, Replays: func(input map[string]any) sdk.Replay {
		method, _ := input["method"].(string)
		if input["idempotent"] == true || slices.Contains(repeatable, cmp.Or(method, http.MethodGet)) {
			return sdk.Keyed
		}
		return sdk.Unsafe
	}}
}

// repeatable holds the methods that HTTP defines as idempotent.
var repeatable = []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete}

// request is the input of http.request@1.
type request struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Query   query             `json:"query"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
	Form    query             `json:"form"`
	Timeout int               `json:"timeout"` // seconds
}

func (n requestNode) Execute(ctx context.Context, key string, input map[string]any) (any, error) {
	in := request{Method: http.MethodGet}
	if err := decode(input, &in); err != nil {
		return nil, err
	}
	wait := defaultWait
	if in.Timeout > 0 {
		wait = time.Duration(in.Timeout) * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	req, err := in.build(ctx, key)
	if err != nil {
		return nil, err
	}
	res, err := n.client.Do(req)
	if err != nil {
		return nil, unreachable(err, in.Method)
	}
	defer res.Body.Close() //nolint:errcheck // read to the end or given up
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, unreachable(err, in.Method)
	}
	if len(body) > maxBody {
		return nil, &sdk.Problem{Code: "response_too_large", HTTPStatus: http.StatusBadGateway, Effect: sdk.EffectDone, Fault: sdk.FaultDownstream,
			Message: fmt.Sprintf("the answer has more than %d bytes", maxBody)}
	}
	if res.StatusCode >= 400 {
		return nil, refused(res)
	}
	return output(res, body), nil
}

func (in request) build(ctx context.Context, key string) (*http.Request, error) {
	u, err := in.address()
	if err != nil {
		return nil, err
	}
	content, contentType := []byte(in.Body), "application/json"
	if in.Form != nil {
		if len(in.Body) > 0 {
			return nil, misshapen("/form", "a request has a body or a form, not both")
		}
		form, err := in.Form.encode("/form")
		if err != nil {
			return nil, err
		}
		content, contentType = []byte(form), "application/x-www-form-urlencoded"
	}
	if len(content) > maxBody {
		return nil, sdk.Invalid(sdk.Violation{Pointer: "/body", Code: "too_large", Message: fmt.Sprintf("the body has more than %d bytes", maxBody)})
	}
	var body io.Reader
	if len(content) > 0 {
		body = bytes.NewReader(content)
	}
	req, err := http.NewRequestWithContext(ctx, in.Method, u.String(), body)
	if err != nil {
		return nil, sdk.Invalid(sdk.Violation{Pointer: "/method", Code: "invalid_request", Message: err.Error()})
	}
	req.Header.Set("User-Agent", "tapnode")
	req.Header.Set("Accept", "application/json, */*;q=0.5")
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if in.Method != http.MethodGet && in.Method != http.MethodHead {
		req.Header.Set("Idempotency-Key", key)
	}
	for k, v := range in.Headers {
		req.Header.Set(k, v)
	}
	return req, nil
}

// unreachable reports an exchange without a response. The request may have arrived, unless the
// connection was never made.
func unreachable(err error, method string) *sdk.Problem {
	p := &sdk.Problem{Code: "unreachable", HTTPStatus: http.StatusBadGateway, Effect: sdk.EffectUnknown, Retryable: true,
		Fault: sdk.FaultDownstream, Message: "the service cannot be reached: " + cause(err), Err: err}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" || method == http.MethodGet || method == http.MethodHead {
		p.Effect = sdk.EffectNone
	}
	if errors.Is(err, netguard.ErrRefused) {
		p.Code, p.HTTPStatus, p.Retryable, p.Fault = "address_refused", http.StatusForbidden, false, sdk.FaultCaller
		p.Message = "the url leads to an address that is not public: use a public one, or let the host's owner allow private ones (--allow-private; link-local ones and a cloud's own stay refused)"
	}
	if errors.Is(err, errRedirect) {
		p.Code, p.Retryable = "redirect_refused", false
	}
	if errors.Is(err, context.DeadlineExceeded) {
		p.Code, p.HTTPStatus = "timeout", http.StatusGatewayTimeout
	}
	return p
}

// cause removes the address, which may contain secrets, from an error.
func cause(err error) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return err.Error()
}

// refused reports a response with an error status.
func refused(res *http.Response) *sdk.Problem {
	p := &sdk.Problem{Code: "http_status", HTTPStatus: res.StatusCode, Effect: sdk.EffectNone, Fault: sdk.FaultCaller,
		Message: "the service answered " + res.Status}
	if res.StatusCode >= 500 {
		p.Effect, p.Fault, p.Retryable = sdk.EffectUnknown, sdk.FaultDownstream, true
	}
	if res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusServiceUnavailable {
		p.Retryable, p.Effect = true, sdk.EffectNone
		if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
			p.RetryAfter = min(time.Duration(s)*time.Second, maxRetryAfter)
		}
	}
	return p
}

func output(res *http.Response, body []byte) map[string]any {
	headers := make(map[string]any, len(res.Header))
	for k, v := range res.Header {
		headers[strings.ToLower(k)] = strings.ToValidUTF8(v[0], "\ufffd")
	}
	out := map[string]any{"status": res.StatusCode, "headers": headers}
	media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err == nil && (media == "application/json" || strings.HasSuffix(media, "+json")) {
		if v, err := flow.DecodeJSON(body); err == nil {
			out["body"] = v
			return out
		}
	}
	if len(body) > 0 && utf8.Valid(body) {
		out["body"] = string(body)
	}
	return out
}
