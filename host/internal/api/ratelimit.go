package api

import (
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// limiter counts requests per token in windows of one minute. Only known tokens are
// counted, and those that are over go when there are more than there can be tokens.
type limiter struct {
	perMinute int
	now       func() time.Time
	mu        sync.Mutex
	windows   map[string]*window
}

type window struct {
	ends time.Time
	used int
}

func newLimiter(perMinute int, now func() time.Time) *limiter {
	return &limiter{perMinute: perMinute, now: now, windows: map[string]*window{}}
}

// allow counts one request and writes the X-RateLimit headers, which are on every
// answer; a refused one carries Retry-After too.
func (l *limiter) allow(h http.Header, tokenID string) bool {
	l.mu.Lock()
	now := l.now()
	w := l.windows[tokenID]
	// A clock that jumped back must not lock a token out for longer than a window.
	if w == nil || !now.Before(w.ends) || w.ends.Sub(now) > time.Minute {
		if len(l.windows) >= maxTokens {
			maps.DeleteFunc(l.windows, func(_ string, w *window) bool { return !now.Before(w.ends) })
		}
		w = &window{ends: now.Add(time.Minute)}
		l.windows[tokenID] = w
	}
	ok := w.used < l.perMinute
	if ok {
		w.used++
	}
	left, ends := l.perMinute-w.used, w.ends
	l.mu.Unlock()

	h.Set("X-RateLimit-Limit", strconv.Itoa(l.perMinute))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(left))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(ends.Unix()+1, 10))
	if !ok {
		h.Set("Retry-After", strconv.Itoa(int(ends.Sub(now)/time.Second)+1))
	}
	return ok
}
