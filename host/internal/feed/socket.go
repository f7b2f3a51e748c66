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
	// beat is how often a silent stream shows that it is alive, because proxies cut idle
	// connections.
	beat = 15 * time.Second
	// patience is how long the peer may take for one message, or to answer a ping.
	patience = 10 * time.Second
	// goodbye is how long a stream may take to end when the server does.
	goodbye = 2 * time.Second
	// Subprotocol is the subprotocol of /v1/events, for clients that send their token as another
	// subprotocol.
	Subprotocol = "tapnode.events.v1"
)

// The reasons for which streams end.
var (
	errStopping = errors.New("the server stops")
	errRevoked  = errors.New("the token is no longer valid")
	errGone     = errors.New("the other side does not answer")
	errSpoke    = errors.New("this socket sends events and accepts nothing")
	errUnread   = errors.New("the events cannot be read now")
)

// Allowed says whether a page of the request's origin may open sockets: the origin is the host
// itself, or one of origins. A request without an origin is allowed: browsers always send one,
// other programs do not.
func Allowed(r *http.Request, origins []string) bool {
	named := r.Header.Values("Origin")
	return len(named) == 0 || len(named) == 1 && (slices.Contains(origins, named[0]) || front.FromItself(r))
}

// Session decides how long a stream lives.
type Session struct {
	ending   <-chan struct{}
	valid    func(ctx context.Context) bool
	beat     time.Duration
	patience time.Duration
}

// NewSession returns a Session that lives until the places end, or until valid says that the token
// is no longer valid. With a nil valid, the token always is.
func NewSession(p *Places, valid func(ctx context.Context) bool) Session {
	return Session{p.ending, valid, beat, patience}
}

// Watch returns a context that ends when the session does, with the reason as its cause. ping is
// called at each beat; it may be nil.
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

// Farewell returns what to tell a reader whose stream ends: why and, unless that is the reader's
// own fault, after how many seconds to come back. That number is random, so that readers do not
// come back all at once. code is empty when there is nothing to tell.
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

// Socket upgrades a request to a WebSocket and sends the reader's events to it, until one of them
// ends. It accepts no messages: a client that sends one is disconnected.
func (s Session) Socket(w http.ResponseWriter, r *http.Request, reader *Reader) {
	line := &line{ResponseWriter: w}
	conn, err := websocket.Accept(line, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // Allowed has checked the origin; the library's own check would also accept the server's own name
		Subprotocols:       []string{Subprotocol},
	})
	if err != nil {
		return // Accept has answered
	}
	ctx, hangUp := context.WithCancelCause(r.Context())
	ctx, end := s.Watch(ctx, conn.Ping)
	var reading sync.WaitGroup
	reading.Go(func() { // it receives pongs and the peer's close
		_, _, err := conn.Reader(context.WithoutCancel(ctx))
		hangUp(cmp.Or(err, errSpoke))
	})
	// When ctx ends, a deadline bounds what is still under way: a message to a peer that does not
	// read, or a close that the peer does not answer.
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

// tell sends what the reader reads until the stream ends, and returns why it ends.
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

// write does not end with the stream: a message that was begun is sent completely, if the peer
// takes it in time.
func (s Session) write(conn *websocket.Conn, body []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.patience)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, body)
}

// leave closes the WebSocket with a code and a reason. The library waits for the peer's close, and
// for the rest of a message that it has begun, until the deadline of the connection.
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
	_ = conn.Close(status, reason) // an error means that it is gone already
}

// line keeps the connection under a WebSocket, because closing the WebSocket itself has no time
// limit.
type line struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack implements http.Hijacker and keeps the connection.
func (l *line) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(l.ResponseWriter).Hijack()
	l.conn = conn
	return conn, buffered, err
}
