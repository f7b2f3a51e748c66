package feed

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
)

// door serves sockets of a place.
type door struct {
	*httptest.Server
	session Session
	places  *Places
	ended   chan struct{} // gets one for each socket that has ended
}

func openDoor(t *testing.T, p *place, change func(*Session)) *door {
	t.Helper()
	d := &door{places: NewPlaces(), ended: make(chan struct{}, 10_000)}
	d.session = NewSession(d.places, nil)
	if change != nil {
		change(&d.session)
	}
	d.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { d.ended <- struct{}{} }()
		leave, err := d.places.Join(r.URL.Path)
		if err != nil {
			http.Error(w, err.Error(), http.StatusTooManyRequests)
			return
		}
		defer leave()
		reader, err := p.Open(r.Context(), Want{After: at(0)})
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		defer reader.Close()
		d.session.Socket(w, r, reader)
	}))
	d.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if conn, ok := c.(*net.TCPConn); ok {
			_ = conn.SetWriteBuffer(64 << 10) // otherwise the system buffers megabytes for a client that does not read
		}
		return ctx
	}
	d.Start()
	t.Cleanup(func() {
		d.places.End()
		if err := d.places.Wait(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		d.Close()
	})
	return d
}

// raw is a client that knows only bytes.
func (d *door) raw(t *testing.T, path string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", d.Listener.Addr().String()) //nolint:noctx // at once
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	conn, _ := c.(*net.TCPConn)
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", path)
	return conn
}

func (d *door) dial(t *testing.T, path string) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), strings.Replace(d.URL, "http", "ws", 1)+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// closing reads until the end and returns why it came.
func closing(t *testing.T, conn *websocket.Conn) websocket.CloseError {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for {
		if _, _, err := conn.Read(ctx); err != nil {
			var why websocket.CloseError
			if code := websocket.CloseStatus(err); code == -1 {
				t.Fatalf("no close frame: %v", err)
			} else if i := strings.Index(err.Error(), "reason = "); i >= 0 {
				why = websocket.CloseError{Code: code, Reason: err.Error()[i:]}
			}
			return why
		}
	}
}

// TestSlowReadersCostNothing: hundreds of clients that do not read gigabytes of events in all are
// disconnected while memory stays flat, and a client that reads gets everything meanwhile.
func TestSlowReadersCostNothing(t *testing.T) {
	const slow, n, size = 200, 2000, 8 << 10
	p := open(t, sqllog.Options{Dir: t.TempDir()})
	d := openDoor(t, p, func(s *Session) { s.patience = time.Second })
	for i := range slow {
		conn := d.raw(t, fmt.Sprint("/", i%10))
		_ = conn.SetReadBuffer(4 << 10)
	}
	good := p.reader(t, Want{After: at(0)})
	before := heap()
	var peak atomic.Uint64
	all := numbered(0, n)
	go func() {
		for some := range slices.Chunk(all, 50) {
			p.put(t, outgoing("shop", size, some...)...)
			peak.Store(max(peak.Load(), heap()))
		}
	}()
	if got := ids(read(t, good, n)); !slices.Equal(got, all) {
		t.Errorf("who reads got %d events", len(got))
	}
	for i := range slow {
		<-d.ended
		if i%20 == 0 { // to look is to collect
			peak.Store(max(peak.Load(), heap()))
		}
	}
	// In memory at once: what is kept for all, and a page of each.
	if grew := int64(peak.Load()) - int64(before); grew > 64<<20 {
		t.Errorf("the heap grew by %d MiB", grew>>20)
	} else {
		t.Logf("%d slow readers of %d MiB each: the heap grew by %d MiB at most", slow, n*size>>20, grew>>20)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestHalfOpen: a client that does not answer pings is disconnected, even if its connection reports
// no error.
func TestHalfOpen(t *testing.T) {
	d := openDoor(t, open(t, sqllog.Options{Dir: t.TempDir()}), func(s *Session) { s.beat, s.patience = 10*time.Millisecond, 100*time.Millisecond })
	d.raw(t, "/")
	<-d.ended
	lives := d.dial(t, "/")
	ctx := lives.CloseRead(t.Context())
	for range 20 { // it answers, so it stays
		if err := lives.Ping(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// TestClientsTakeOnly: a socket ends when its client sends something, and nothing that the client
// announces is read into memory.
func TestClientsTakeOnly(t *testing.T) {
	d := openDoor(t, open(t, sqllog.Options{Dir: t.TempDir()}), nil)
	conn := d.dial(t, "/")
	if err := conn.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if why := closing(t, conn); why.Code != websocket.StatusPolicyViolation {
		t.Errorf("closed with %+v", why)
	}
	<-d.ended
	before := heap()
	for name, frame := range map[string][]byte{
		"a message of 2^62 bytes": binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, 1<<62),
		"a ping that is too long": {0x89, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0},
		"no mask":                 {0x81, 0x01, 'x'},
		"reserved bits":           {0xf1, 0x80, 0, 0, 0, 0},
		"a part without a begin":  {0x80, 0x80, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := d.raw(t, "/")
			in := bufio.NewReader(c)
			if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "101") {
				t.Fatal(line, err)
			}
			if _, err := c.Write(append(frame, make([]byte, 64<<10)...)); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, in) // until it is closed
			<-d.ended
		})
	}
	if grew := int64(heap()) - int64(before); grew > 16<<20 {
		t.Errorf("the heap grew by %d MiB", grew>>20)
	}
}

// TestFloodOfSockets: one token cannot take all places, a refused socket holds no resources, and
// places are free again when sockets end.
func TestFloodOfSockets(t *testing.T) {
	d := openDoor(t, open(t, sqllog.Options{Dir: t.TempDir()}), nil)
	var all []*net.TCPConn
	refused := 0
	for range 3 * maxStreamsPerToken {
		c := d.raw(t, "/flood")
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, "429") {
			refused++
			_ = c.Close()
			continue
		}
		all = append(all, c)
	}
	if len(all) != maxStreamsPerToken || refused != 2*maxStreamsPerToken {
		t.Errorf("%d are open, %d were refused", len(all), refused)
	}
	d.dial(t, "/other")
	for _, c := range all {
		_ = c.Close()
	}
	for range refused + len(all) {
		<-d.ended
	}
	d.dial(t, "/flood")
}

// TestFarewells: a socket says why it ends and, if it may, when to come back.
func TestFarewells(t *testing.T) {
	p := open(t, sqllog.Options{Dir: t.TempDir()})
	stops := openDoor(t, p, nil)
	conn := stops.dial(t, "/")
	stops.places.End()
	if why := closing(t, conn); why.Code != websocket.StatusServiceRestart || !strings.Contains(why.Reason, "retry-after=") {
		t.Errorf("the server stops with %+v", why)
	}
	revokes := openDoor(t, p, func(s *Session) {
		s.beat, s.valid = time.Millisecond, func(context.Context) bool { return false }
	})
	if why := closing(t, revokes.dial(t, "/")); why.Code != websocket.StatusPolicyViolation || !strings.Contains(why.Reason, "token") || strings.Contains(why.Reason, "retry-after") {
		t.Errorf("a token that ends: %+v", why)
	}
}
