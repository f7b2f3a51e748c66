package feed

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/tapnode/tapnode/host/internal/front"
)

const (
	// beat is how often a silent stream shows that it lives, and has to: proxies cut what says nothing.
	beat = 15 * time.Second
	// patience is how long the other side may take for one message, or for the answer to a ping.
	patience = 10 * time.Second
	// goodbye is how long a stream may take to end when the server does.
	goodbye = 2 * time.Second
	// Subprotocol is that of /v1/events, for clients that send their token as another one.
	Subprotocol = "tapnode.events.v1"
)

// The reasons for which streams end.
var (
	errStopping = errors.New("the server stops")
	errRevoked  = errors.New("the token is no longer valid")
	errGone     = errors.New("the other side does not answer")
	errSpoke    = errors.New("events are told here, and nothing is taken")
	errUnread   = errors.New("the events cannot be read now")
)

// Allowed says whether a page of the request's origin may open sockets: one of the host itself, or one
// that is named. Browsers always name it, other programs do not.
func Allowed(r *http.Request, origins []string) bool {
	named := r.Header.Values("Origin")
	return len(named) == 0 || len(named) == 1 && (slices.Contains(origins, named[0]) || front.FromItself(r))
}

// Session is what a stream lives by.
type Session struct {
	ending   <-chan struct{}
	valid    func(ctx context.Context) bool
	beat     time.Duration
	patience time.Duration
}

// NewSession lives until the places end, or the token is not valid any more; nil: it always is.
func NewSession(p *Places, valid func(ctx context.Context) bool) Session {
	return Session{p.ending, valid, beat, patience}
}

// Watch gives a context that ends, with its cause, when the session does. ping is called with each
// beat; nil: there is none.
func (s Session) Watch(ctx context.Context, ping func(context.Context) error) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(s.beat)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.ending:
				cancel(errStopping)
			case <-tick.C:
				asked, end := context.WithTimeout(ctx, s.patience)
				if s.valid != nil && !s.valid(asked) {
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
// seconds to come back: each hears another number, so that they do not come all at once. There is no
// code when nobody hears it.
func Farewell(err error) (code, reason string, retryAfter int) {
	retryAfter = 1 + rand.IntN(5) //nolint:gosec // not a secret
	switch {
	case errors.Is(err, errStopping):
		return "server_stops", errStopping.Error(), retryAfter
	case errors.Is(err, errRevoked), errors.Is(err, errSpoke):
		return "refused", err.Error(), 0
	case errors.Is(err, errSlow):
		return "too_slow", errSlow.Error(), 0
	case errors.Is(err, errUnread):
		return "unavailable", errUnread.Error(), retryAfter
	}
	return "", "", 0
}

var closeCodes = map[string]websocket.StatusCode{
	"server_stops": websocket.StatusServiceRestart, "refused": websocket.StatusPolicyViolation, "too_slow": websocket.StatusPolicyViolation, "unavailable": websocket.StatusTryAgainLater,
}

// Socket makes a WebSocket of a request and tells it what a reader reads, until one of them ends. It
// takes nothing: who sends a message is disconnected.
func (s Session) Socket(w http.ResponseWriter, r *http.Request, reader *Reader) {
	line := &line{ResponseWriter: w}
	conn, err := websocket.Accept(line, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // Allowed has looked at the origin; here that of the server's own name would pass
		Subprotocols:       []string{Subprotocol},
	})
	if err != nil {
		return // Accept has answered
	}
	ctx, hangUp := context.WithCancelCause(r.Context())
	ctx, end := s.Watch(ctx, conn.Ping)
	var reading sync.WaitGroup
	reading.Go(func() { // it takes pongs and the other side's end
		_, _, err := conn.Reader(context.WithoutCancel(ctx))
		hangUp(cmp.Or(err, errSpoke))
	})
	// Whatever is under way then, a message to somebody who does not read or a goodbye to somebody who
	// does not listen, has an end.
	bounded := context.AfterFunc(ctx, func() { _ = line.conn.SetDeadline(time.Now().Add(goodbye)) })
	defer func() {
		bounded()
		_ = line.conn.Close()
		reading.Wait()
		end()
		hangUp(nil)
	}()
	leave(line.conn, conn, s.tell(ctx, conn, reader))
}

// tell returns why the stream ends.
func (s Session) tell(ctx context.Context, conn *websocket.Conn, reader *Reader) error {
	for {
		frames, err := reader.Next(ctx)
		if err != nil {
			return err
		}
		for _, f := range frames {
			if ctx.Err() != nil {
				break
			}
			if err := s.write(conn, f.Body); err != nil {
				return err
			}
		}
	}
}

// write does not end with the stream: a message that was begun is told to its end, if that comes.
func (s Session) write(conn *websocket.Conn, body []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.patience)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, body)
}

// leave says goodbye. The library waits for the other side's, and for the rest of a message that it
// has begun, as long as the line lets it.
func leave(line net.Conn, conn *websocket.Conn, err error) {
	code, reason, retryAfter := Farewell(err)
	status, ok := closeCodes[code]
	if !ok {
		return
	}
	if retryAfter > 0 {
		reason = fmt.Sprintf("%s; retry-after=%d", reason, retryAfter)
	}
	_ = line.SetDeadline(time.Now().Add(goodbye))
	_ = conn.Close(status, reason) // or it is gone already
}

// line keeps the connection that a WebSocket is made of: its own close has no limit of time.
type line struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack is http.Hijacker's.
func (l *line) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(l.ResponseWriter).Hijack()
	l.conn = conn
	return conn, buffered, err
}
