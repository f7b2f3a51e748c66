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
	versionLife  = 24 * time.Hour   // of a version that was asked for, over restarts
	versionAgain = 10 * time.Minute // between two requests, whatever WhatsApp refuses
	versionTime  = 15 * time.Second // one request
	versionPage  = 4 << 20          // bytes of the page that are read
)

// web knows which version of WhatsApp Web is current. It asks web.whatsapp.com once a
// day at most, and once more when WhatsApp calls a client outdated. The clients'
// transport carries the request, so a Server gets it in WhatsApp's place. Without an
// answer the version stays as it is: that is a warning, never a failure.
//
// The version is put into each client's payload. whatsmeow has a package variable for
// it (store.SetWAVersion), which its other goroutines read without a lock.
type web struct {
	pool    *Pool
	http    *http.Client
	version atomic.Pointer[wastore.WAVersionContainer]

	mu    sync.Mutex // held while one asks
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

// current is the version that clients present.
func (w *web) current() wastore.WAVersionContainer { return *w.version.Load() }

// payload is what a client says about itself when it connects.
func (w *web) payload(d *wastore.Device) *waWa6.ClientPayload {
	p, v := d.GetClientPayload(), w.current()
	p.UserAgent.AppVersion = v.ProtoAppVersion()
	if pairing := p.GetDevicePairingData(); pairing != nil {
		hash := v.Hash()
		pairing.BuildHash = hash[:]
	}
	return p
}

// raise presents v from now on, unless it is not newer. It reports whether it was.
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

// recall presents the version that was asked for before, and reports whether it is
// still fresh.
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

// refresh asks, and stores and presents the answer.
func (w *web) refresh(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ask(ctx)
}

// renew is called when WhatsApp refused a version. It reports whether a newer one is
// presented now.
func (w *web) renew(ctx context.Context, refused wastore.WAVersionContainer) bool {
	if !w.pool.opts.RefreshVersion {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return refused.LessThan(w.current()) || w.ask(ctx)
}

// ask reports whether a newer version came. The caller holds w.mu.
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

// boundedPage reads so much of an answer and no more; whatsmeow reads all of it.
type boundedPage struct{ http.RoundTripper }

// RoundTrip is http.RoundTripper's.
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

// outdatedError is a pairing that WhatsApp refused because of the client's version.
type outdatedError struct{ presented wastore.WAVersionContainer }

// Error says what to do.
func (e *outdatedError) Error() string { return e.Unwrap().Error() }

// Unwrap is the refusal as callers know it.
func (e *outdatedError) Unwrap() error {
	v := judge(&events.ClientOutdated{})
	return &RefusedError{Status: Status{State: v.state, Trouble: &Trouble{Code: v.code, Message: v.message, At: time.Now()}}}
}
