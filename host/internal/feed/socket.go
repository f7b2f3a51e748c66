package feed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/coder/websocket"
)

const (
	// patience is how long the other side may take for one message, or for the answer to a ping.
	patience = 10 * time.Second
	// goodbye is how long a stream may take to end when the server does.
	goodbye = 2 * time.Second
	// Subprotocol is that of /v1/events, for clients that send their token as another one.
	Subprotocol = "tapnode.events.v1"
)

// Beat is how often a socket is asked whether it lives.
const Beat = 30 * time.Second

// The reasons for which streams end.
var (
	errStopping = errors.New("the server stops")
	errRevoked  = errors.New("the token is no longer valid")
	errGone     = errors.New("the other side does not answer")
)

// Allowed says whether a page of the request's origin may open sockets. Browsers always name it,
// other programs do not.
func Allowed(r *http.Request, origins []string) bool {
	named := r.Header.Values("Origin")
	return len(named) == 0 || len(named) == 1 && slices.Contains(origins, named[0])
}

// Session is what a stream lives by.
type Session struct {
	Ending <-chan struct{}                // of the server; see [Places]
	Valid  func(ctx context.Context) bool // the token still is; nil: always
	Beat   time.Duration
}

// Watch gives a context that ends, with its cause, when the session does. ping is called with each
// beat; nil: there is none.
func (s Session) Watch(ctx context.Context, ping func(context.Context) error) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(s.Beat)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.Ending:
				cancel(errStopping)
			case <-tick.C:
				asked, end := context.WithTimeout(ctx, patience)
				if s.Valid != nil && !s.Valid(asked) {
					cancel(errRevoked)
				} else if ping != nil && ping(asked) != nil {
					cancel(errGone)
				}
				end()
			}
		}
	}()
	return ctx, func() { cancel(nil); <-done }
}

// Farewell says to a reader why its stream ends and, unless it is its own fault, after how many
// seconds to come back: each hears another number, so that they do not come all at once.
func Farewell(err error) (code, reason string, retryAfter int) {
	retryAfter = 1 + rand.IntN(5) //nolint:gosec // not a secret
	switch {
	case errors.Is(err, errStopping):
		return "server_stops", errStopping.Error(), retryAfter
	case errors.Is(err, errRevoked):
		return "token_revoked", errRevoked.Error(), 0
	case errors.Is(err, ErrSlow):
		return "too_slow", ErrSlow.Error(), 0
	}
	return "unavailable", "the events cannot be read now", retryAfter
}

var closeCodes = map[string]websocket.StatusCode{
	"server_stops": websocket.StatusServiceRestart, "token_revoked": websocket.StatusPolicyViolation, "too_slow": websocket.StatusPolicyViolation, "unavailable": websocket.StatusTryAgainLater,
}

// Socket makes a WebSocket of a request and tells it what a reader reads, until one of them ends. It
// takes nothing: who sends a message is disconnected.
func (s Session) Socket(w http.ResponseWriter, r *http.Request, reader *Reader) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // Allowed has looked at the origin; here that of the server's own name would pass
		Subprotocols:       []string{Subprotocol},
	})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(1)
	reading := conn.CloseRead(r.Context())
	ctx, end := s.Watch(reading, conn.Ping)
	defer end()
	defer context.AfterFunc(ctx, func() { // a message may be on its way to somebody who does not read
		time.AfterFunc(goodbye, func() { _ = conn.CloseNow() })
	})()
	for {
		frames, err := reader.Next(ctx)
		if err != nil {
			if reading.Err() == nil && !errors.Is(err, errGone) {
				leave(conn, err)
			}
			return
		}
		for _, f := range frames {
			if ctx.Err() != nil {
				break
			}
			if write(reading, conn, f.Body) != nil {
				return
			}
		}
	}
}

func write(ctx context.Context, conn *websocket.Conn, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, body)
}

// leave closes a socket with a reason, and cuts it if that takes too long.
func leave(conn *websocket.Conn, err error) {
	code, reason, retryAfter := Farewell(err)
	if retryAfter > 0 {
		reason = fmt.Sprintf("%s; retry-after=%d", reason, retryAfter)
	}
	cut := time.AfterFunc(goodbye, func() { _ = conn.CloseNow() })
	defer cut.Stop()
	_ = conn.Close(closeCodes[code], reason) // or it is gone already
}
