package flow

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// Webhook says at which address the host listens for a trigger, and how it authenticates the
// caller.
type Webhook struct {
	// Path is the last part of the address; Method is POST or GET, and nothing else.
	Path   string      `json:"path"`
	Method string      `json:"method"`
	Auth   WebhookAuth `json:"auth"`
}

// WebhookAuth says how a call proves that it is genuine.
type WebhookAuth struct {
	// Type is "none", "secret" or "hmac-sha256".
	Type string `json:"type"`
	// Secret is the name of one of the host's secrets; empty if Type is none.
	Secret   string `json:"secret"`
	Header   string `json:"header"`
	Prefix   string `json:"prefix"`
	Encoding string `json:"encoding"`
}

// ErrForged means that a call of a webhook lacks the secret or the signature that it must have.
var ErrForged = errors.New("the call does not carry the webhook's secret or signature")

// ErrBody means that the body of a call cannot be decoded for expressions.
var ErrBody = errors.New("the body cannot be read")

// Verify returns ErrForged unless a call carries what Auth requires. secret is the value of
// Auth.Secret; if it is empty, the call is refused. header are all values of Auth.Header.
// Comparisons take the same time whatever the call holds.
func (w *Webhook) Verify(secret []byte, header []string, body []byte) error {
	if w.Auth.Type == "none" {
		return nil
	}
	if len(secret) == 0 || len(header) != 1 {
		return ErrForged
	}
	given, ok := strings.CutPrefix(header[0], w.Auth.Prefix)
	if !ok {
		return ErrForged
	}
	if w.Auth.Type == "secret" {
		want, got := sha256.Sum256(secret), sha256.Sum256([]byte(given)) // of equal length
		if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
			return ErrForged
		}
		return nil
	}
	decode := hex.DecodeString
	if w.Auth.Encoding == "base64" {
		decode = base64.StdEncoding.DecodeString
	}
	signature, err := decode(given)
	mac := hmac.New(sha256.New, secret)
	mac.Write(body) // never fails
	if err != nil || !hmac.Equal(signature, mac.Sum(nil)) {
		return ErrForged
	}
	return nil
}

// methodPost is the method of calls that have a body.
const methodPost = "POST"

// Bounds of what the expressions see of a call.
const (
	maxWebhookHeaders = 50
	maxWebhookValue   = 1024 // bytes of a header
	maxWebhookQuery   = 100  // parameters
)

// Event returns what the expressions of a run see of a call: method, path, query, headers without
// credentials, and body. The error is ErrBody if the body does not match its Content-Type, or is
// not text.
func (w *Webhook) Event(query url.Values, header map[string][]string, body []byte) (map[string]any, error) {
	contentType := ""
	headers := map[string]any{}
	for _, name := range keys(header) {
		values := header[name]
		if len(values) == 0 {
			continue
		}
		if strings.EqualFold(name, "Content-Type") {
			contentType = values[0]
		}
		private := strings.EqualFold(name, w.Auth.Header) || isSecret(name)
		if !private && len(headers) < maxWebhookHeaders && len(values[0]) <= maxWebhookValue {
			headers[strings.ToLower(name)] = strings.ToValidUTF8(values[0], "\ufffd")
		}
	}
	seen, err := webhookBody(contentType, body)
	if err != nil {
		return nil, err
	}
	return map[string]any{"method": w.Method, "path": w.Path, "query": parameters(query), "headers": headers, "body": seen}, nil
}

const mediaJSON = "application/json"

func webhookBody(contentType string, body []byte) (any, error) {
	if len(body) == 0 {
		return nil, nil
	}
	media := contentType
	if media != mediaJSON { // the usual value, which needs no parsing
		var err error
		if media, _, err = mime.ParseMediaType(contentType); err != nil {
			media = ""
		}
	}
	switch {
	case media == mediaJSON || strings.HasSuffix(media, "+json"):
		seen, err := readStrict(body, MaxDepth-1) // the event encloses it
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBody, err)
		}
		return seen, nil
	case !utf8.Valid(body):
		return nil, fmt.Errorf("%w: it is not UTF-8", ErrBody)
	case media == "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, fmt.Errorf("%w: it is not a form: %w", ErrBody, err)
		}
		return parameters(form), nil
	}
	return string(body), nil
}

// parameters maps each name to its value: a text, or a list of texts if the name is repeated.
func parameters(values url.Values) map[string]any {
	out := map[string]any{}
	for _, name := range keys(values) {
		if len(out) == maxWebhookQuery {
			break
		}
		list := make([]any, 0, 1)
		for _, v := range values[name][:min(len(values[name]), maxWebhookQuery)] {
			list = append(list, strings.ToValidUTF8(v, "\ufffd"))
		}
		name = strings.ToValidUTF8(name, "\ufffd")
		switch len(list) {
		case 0:
		case 1:
			out[name] = list[0]
		default:
			out[name] = list
		}
	}
	return out
}

// checkWebhook compiles the Webhook of a trigger.
func (c *compilation) checkWebhook(t *trigger, with map[string]any, ptr string) {
	w := &Webhook{}
	raw, err := json.Marshal(with)
	if err == nil {
		err = json.Unmarshal(raw, w)
	}
	if err != nil {
		c.fail(ptr, "webhook", "", "%v", err)
		return
	}
	if w.Auth.Type == "hmac-sha256" && w.Method != methodPost {
		c.fail(jsonstrict.Pointer(ptr, "auth", "type"), "nothing_to_sign", "use POST, or a secret", "a GET has no body, so that its signature would be the same every time")
	}
	if slices.ContainsFunc(c.program.webhooks(), func(o *Webhook) bool { return o.Path == w.Path && o.Method == w.Method }) {
		c.fail(jsonstrict.Pointer(ptr, "path"), "duplicate", "give one of them another path", "two triggers listen at %s %s", w.Method, w.Path)
	}
	t.webhook = w
}

func (p *Program) webhooks() []*Webhook {
	var out []*Webhook
	for _, t := range p.triggers {
		if t.webhook != nil {
			out = append(out, t.webhook)
		}
	}
	return out
}
