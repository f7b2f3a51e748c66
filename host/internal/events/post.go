package events

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
	"strconv"
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/netguard"
)

const (
	// postTime is how long a receiver may take to answer.
	postTime = 15 * time.Second
	// maxDrain is how much of a response is read so that its connection can be reused.
	maxDrain = 64 << 10
	// maxRetryAfter bounds the delay that a receiver may ask for with Retry-After.
	maxRetryAfter = time.Hour
)

// Attempt is one call of a receiver.
type Attempt struct {
	Event   string    `json:"event"` // the event's id
	Type    string    `json:"type"`
	Time    time.Time `json:"time"`
	TookMs  int64     `json:"tookMs"`
	Attempt int       `json:"attempt"`          // 1 is the first
	Status  int       `json:"status,omitempty"` // the HTTP status, if there was a response
	Error   string    `json:"error,omitempty"`  // why it failed

	retryAfter time.Duration
}

func (a Attempt) ok() bool { return a.Error == "" }

func newClient(guard *netguard.Guard) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would dial for us and so bypass the guard
			DialContext:            guard.DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			MaxResponseHeaderBytes: 32 << 10,
			MaxIdleConns:           256,
			MaxIdleConnsPerHost:    maxParallel,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post sends an event to a receiver once.
func (s *Service) post(ctx context.Context, w *Webhook, ev Event, attempt int) Attempt {
	a := Attempt{Event: ev.ID, Type: ev.Type, Time: s.opt.Now().UTC(), Attempt: attempt}
	ctx, cancel := context.WithTimeout(ctx, postTime)
	defer cancel()
	began := time.Now()
	req, err := s.request(ctx, w, ev)
	if err == nil {
		err = s.do(req, &a)
	}
	a.TookMs = time.Since(began).Milliseconds()
	if err != nil {
		a.Error = reason(err)
	}
	return a
}

func (s *Service) do(req *http.Request, a *Attempt) error {
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it is read to the end or given up
	a.Status = res.StatusCode
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxDrain)) // the outcome depends on the status only
	switch {
	case res.StatusCode >= 300 && res.StatusCode < 400:
		a.Error = fmt.Sprintf("the receiver answered %d: redirects are not followed, set the address that it leads to", res.StatusCode)
	case res.StatusCode < 200 || res.StatusCode >= 300:
		a.Error = fmt.Sprintf("the receiver answered %d", res.StatusCode)
		a.retryAfter = retryAfter(res.Header.Get("Retry-After"), s.opt.Now())
	}
	return nil
}

// request builds the signed request with an event in the webhook's form.
func (s *Service) request(ctx context.Context, w *Webhook, ev Event) (*http.Request, error) {
	body, contentType, name, err := s.body(ctx, w, ev)
	if err != nil {
		return nil, err
	}
	target := w.URL
	if w.ByEvents {
		u, err := url.Parse(w.URL)
		if err != nil {
			return nil, errAddress
		}
		target = u.JoinPath(name).String()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, errAddress
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "tapnode")
	if w.Authorization != "" {
		req.Header.Set("Authorization", w.Authorization)
	}
	return req, s.sign(req.Header, w, ev.ID, body)
}

// refusedAddress is the message about an address that the guard refuses.
const refusedAddress = "the address is not public: webhooks reach private ones only of a host that was started with --allow-private, and link-local ones and a cloud's own never"

var (
	errAddress = errors.New("the address cannot be used")
	errToken   = errors.New("the instance's token cannot be read now")
)

func (s *Service) body(ctx context.Context, w *Webhook, ev Event) (body []byte, contentType, name string, err error) {
	if w.Form == formSeed {
		e := InSeed(ev)
		if w.Token && ev.Instance != "" {
			if e.InstanceData.Token, err = s.opt.Token(ctx, ev.Instance); err != nil {
				return nil, "", "", errToken
			}
		}
		body, err = json.Marshal(e)
		return body, "application/json", e.Event, err
	}
	e := InCloudEvents(ev)
	if e.Source == "" {
		e.Source = "/webhooks/" + url.PathEscape(w.ID)
	}
	body, err = json.Marshal(e)
	return body, "application/cloudevents+json", ev.Type, err
}

// reason says why there was no response. It never contains the address.
func reason(err error) string {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	op, isOp := errors.AsType[*net.OpError](err)
	certificate, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case errors.Is(err, errAddress), errors.Is(err, errToken):
		return err.Error()
	case errors.Is(err, netguard.ErrRefused):
		return refusedAddress
	case errors.Is(err, context.DeadlineExceeded), isOp && op.Timeout():
		return "there was no answer within " + postTime.String()
	case errors.Is(err, context.Canceled):
		return "the host stopped"
	case isDNS && dns.IsNotFound:
		return "the name of the host is not known"
	case isDNS:
		return "the name of the host could not be looked up"
	case isCertificate:
		return "the certificate is not trusted: " + strings.ToValidUTF8(certificate.Err.Error(), "?")
	case isOp:
		return "the connection failed: " + op.Op
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the receiver closed the connection without an answer"
	}
	return "the request failed"
}

// retryAfter parses a Retry-After header, which has seconds or a date. It returns 0 if it cannot.
func retryAfter(value string, now time.Time) time.Duration {
	var d time.Duration
	if seconds, err := strconv.Atoi(value); err == nil && seconds < int(maxRetryAfter/time.Second) {
		d = time.Duration(seconds) * time.Second
	} else if err == nil {
		d = maxRetryAfter
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
