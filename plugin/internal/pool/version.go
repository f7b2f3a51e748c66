package pool

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waWa6"
	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types/events"
)

const (
	versionLife  = 24 * time.Hour   // how long a fetched version stays fresh, across restarts
	versionAgain = 10 * time.Minute // between two requests, however often WhatsApp refuses
	versionTime  = 15 * time.Second // time limit of one request
	versionPage  = 4 << 20          // how much of the page is read, in bytes
)

// web knows which version of WhatsApp Web is current. It asks web.whatsapp.com at most once a day,
// and once more when WhatsApp rejects a client as outdated. The request uses the clients'
// transport, so that with a Server it goes there instead of to WhatsApp. Without an answer the
// version stays as it is: that is a warning, never a failure.
//
// The version is put into each client's payload. whatsmeow's own package variable for it
// (store.SetWAVersion) is read without a lock by its other goroutines.
type web struct {
	pool    *Pool
	http    *http.Client
	version atomic.Pointer[wastore.WAVersionContainer]

	mu    sync.Mutex // held during a request
	asked time.Time
}

func newWeb(p *Pool) *web {
	w := &web{pool: p, http: &http.Client{
		Transport:     boundedPage{p.client.Transport},
		Timeout:       versionTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	known := wastore.GetWAVersion()
	w.version.Store(&known)
	return w
}

// current returns the version that clients present.
func (w *web) current() wastore.WAVersionContainer { return *w.version.Load() }

// payload returns what a client says about itself when it connects.
func (w *web) payload(d *wastore.Device) *waWa6.ClientPayload {
	p, v := d.GetClientPayload(), w.current()
	p.UserAgent.AppVersion = v.ProtoAppVersion()
	if pairing := p.GetDevicePairingData(); pairing != nil {
		hash := v.Hash()
		pairing.BuildHash = hash[:]
	}
	return p
}

// raise makes clients present v from now on if it is newer, and reports whether it was.
func (w *web) raise(v wastore.WAVersionContainer) bool {
	for {
		known := w.version.Load()
		if !known.LessThan(v) {
			return false
		}
		if w.version.CompareAndSwap(known, &v) {
			return true
		}
	}
}

// recall restores the version from an earlier request, and reports whether one that is still fresh
// was stored.
func (w *web) recall(ctx context.Context) bool {
	text, err := w.pool.opts.Registry.WebVersion(ctx)
	if err != nil || text == "" {
		return false
	}
	v, err := wastore.ParseVersion(text)
	if err != nil {
		return false
	}
	w.raise(v)
	return true
}

// refresh requests the version, then stores and presents it.
func (w *web) refresh(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ask(ctx)
}

// renew is called when WhatsApp has refused a version. It reports whether clients now present a
// newer one.
func (w *web) renew(ctx context.Context, refused wastore.WAVersionContainer) bool {
	if !w.pool.opts.RefreshVersion {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return refused.LessThan(w.current()) || w.ask(ctx)
}

// ask requests the version and reports whether it is newer. The caller holds w.mu.
func (w *web) ask(ctx context.Context) bool {
	if !w.asked.IsZero() && time.Since(w.asked) < versionAgain {
		return false
	}
	w.asked = time.Now()
	ctx, cancel := context.WithTimeout(ctx, versionTime)
	defer cancel()
	v, err := whatsmeow.GetLatestVersion(ctx, w.http)
	if err == nil {
		err = w.pool.opts.Registry.PutWebVersion(ctx, v.String(), time.Now().Add(versionLife))
	}
	if err != nil {
		w.pool.opts.Log.Warn("the version of WhatsApp Web could not be refreshed; the known one is used", "error", redact(err.Error()))
	}
	return v != nil && w.raise(*v)
}

// boundedPage limits how much of an answer is read, since whatsmeow reads all of it.
type boundedPage struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b boundedPage) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, versionPage), resp.Body}
	}
	return resp, err
}

// outdatedError means that WhatsApp refused a pairing because of the client's version.
type outdatedError struct{ presented wastore.WAVersionContainer }

// Error returns what to do.
func (e *outdatedError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the refusal in the form callers know.
func (e *outdatedError) Unwrap() error {
	v := judge(&events.ClientOutdated{})
	return &RefusedError{Status: Status{State: v.state, Trouble: &Trouble{Code: v.code, Message: v.message, At: time.Now()}}}
}
