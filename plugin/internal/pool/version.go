package pool

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types/events"
)

const (
	versionLife  = 24 * time.Hour   // of a version that was asked for, over restarts
	versionAgain = 10 * time.Minute // between two requests, whatever WhatsApp refuses
	versionTime  = 15 * time.Second // one request
	versionPage  = 4 << 20          // bytes of the page that are read
)

// presenting guards the version that whatsmeow keeps in package variables: a dial
// reads it, and a refresh writes it.
var presenting sync.RWMutex

// dial connects cli and notes which version it presents.
func dial(ctx context.Context, cli *whatsmeow.Client, presented *wastore.WAVersionContainer) error {
	presenting.RLock()
	defer presenting.RUnlock()
	*presented = wastore.GetWAVersion()
	return cli.ConnectContext(ctx)
}

// raise makes v the version of all later dials, unless it is not newer. It reports
// whether it was.
func raise(v wastore.WAVersionContainer) bool {
	presenting.Lock()
	defer presenting.Unlock()
	if !wastore.GetWAVersion().LessThan(v) {
		return false
	}
	wastore.SetWAVersion(v)
	return true
}

// web knows which version of WhatsApp Web is current. It asks web.whatsapp.com once a
// day at most, and once more when WhatsApp calls a client outdated. The clients'
// transport carries the request, so a Server gets it in WhatsApp's place. Without an
// answer the version stays as it is: that is a warning, never a failure.
type web struct {
	pool *Pool
	http *http.Client

	mu    sync.Mutex // held while one asks
	asked time.Time
}

func newWeb(p *Pool) *web {
	return &web{pool: p, http: &http.Client{
		Transport:     boundedPage{p.client.Transport},
		Timeout:       versionTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// recall presents the version that was asked for before, and reports whether it is
// still fresh.
func (w *web) recall(ctx context.Context) bool {
	text, err := w.pool.opts.Store.WebVersion(ctx)
	if err != nil || text == "" {
		return false
	}
	v, err := wastore.ParseVersion(text)
	if err != nil {
		return false
	}
	raise(v)
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
	presenting.RLock()
	newer := refused.LessThan(wastore.GetWAVersion())
	presenting.RUnlock()
	return newer || w.ask(ctx)
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
		err = w.pool.opts.Store.PutWebVersion(ctx, v.String(), time.Now().Add(versionLife))
	}
	if err != nil {
		w.pool.opts.Log.Warn("the version of WhatsApp Web could not be refreshed; the known one is used", "error", redact(err.Error()))
	}
	return v != nil && raise(*v)
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
	return &RefusedError{Status{State: v.state, Trouble: &Trouble{Code: v.code, Message: v.message, At: time.Now()}}}
}
