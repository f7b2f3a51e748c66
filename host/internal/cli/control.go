package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/tapnode/tapnode/host/internal/app"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
)

const (
	// controlTime bounds a request to a running host, apart from a call of a node.
	controlTime = time.Minute
	// maxAnswer bounds the body of a response, in bytes.
	maxAnswer = 64 << 20
)

// errNoHost means that no host serves in the data directory.
var errNoHost = errors.New("no tapnode serve is running")

// control is a client of a host: over the private socket of the one that works in a data directory,
// or over the network with a token.
type control struct {
	base  *url.URL
	token string // "" for the socket, which needs none
	where string // the error message if no host answers
	http  *http.Client
}

// private is the address of the host of a data directory.
var private = &url.URL{Scheme: "http", Host: "tapnode"}

func newControl(dir string) *control {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		path, err := app.FindControl(dir)
		if err != nil {
			return nil, err
		}
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}
	return &control{base: private, where: fmt.Sprintf("%v in %s: start it, or name its directory with --data", errNoHost, dir), http: &http.Client{Transport: transport}}
}

func (c *control) close() { c.http.CloseIdleConnections() }

// ask sends a request and returns the response. If no host listens on the socket, the error is
// errNoHost. A refusal by the host is an error with the exit code that fits.
func (c *control) ask(ctx context.Context, method, path string, query url.Values, body []byte, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base.Scheme+"://"+c.base.Host+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.URL.RawQuery = query.Encode()
	if header != nil {
		req.Header = header
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" && c.base == private {
		return nil, environment(&absentError{c.where, errNoHost})
	} else if ok && op.Op == "dial" {
		return nil, environment(&absentError{c.where, op.Err})
	}
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return nil, environment(&absentError{"the certificate of the host is not trusted; add its authority to the system's, or name its file in SSL_CERT_FILE", bad})
	}
	if err != nil {
		return nil, fmt.Errorf("the host stopped answering: %w", errors.Unwrap(err))
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	return nil, denied(res.StatusCode, raw)
}

// absentError gives the error of a host that cannot be reached a text for the user.
type absentError struct {
	words string
	err   error
}

func (e *absentError) Error() string { return e.words }
func (e *absentError) Unwrap() error { return e.err }

// found is an error with the problem that the host sent.
type found struct {
	error
	refusal
}

// refusal is a problem as the host describes it.
type refusal struct {
	Status   int            `json:"status"`
	Code     string         `json:"code"`
	Detail   string         `json:"detail"`
	Effect   sdk.Effect     `json:"effect"`
	Fault    sdk.Fault      `json:"fault"` // empty unless a call of a node failed
	Findings []flow.Finding `json:"errors"`
}

func denied(status int, raw []byte) error {
	said := refusal{}
	if err := json.Unmarshal(raw, &said); err != nil || said.Detail == "" {
		said = refusal{Status: status, Detail: fmt.Sprintf("the host answered %d", status)}
	}
	code := exitInvalid
	if said.Status == http.StatusConflict || said.Status >= 500 {
		code = exitFailed
	}
	return &exit{code, found{errors.New(said.Detail), said}}
}

// get sends a request and decodes the response into a value; nil ignores it.
func (c *control) get(ctx context.Context, method, path string, query url.Values, body []byte, into any) error {
	ctx, cancel := context.WithTimeout(ctx, controlTime)
	defer cancel()
	res, err := c.ask(ctx, method, path, query, body, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if into == nil {
		return nil
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the answer of the host ended early: %w", err)
	}
	if text, ok := into.(*[]byte); ok {
		*text = raw
		return nil
	}
	return json.Unmarshal(raw, into)
}

// v1 returns the path of an API resource, as a URL has it: a slash in a part stays inside that part.
func v1(parts ...string) string {
	path := "/v1"
	for _, p := range parts {
		path += "/" + url.PathEscape(p)
	}
	return path
}

// printJSON prints a value as an indented document.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
