package v1

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// dial opens a connection and writes the beginning of a request.
func (s *served) dial(t *testing.T, request string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return conn
}

func post(path, caller string, length int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nCaller: %s\r\nContent-Length: %d\r\n\r\n", path, caller, length)
}

// A body that does not come within its time is refused, and holds no room any longer.
func TestSlowBodies(t *testing.T) {
	s, n := withNode(t)
	s.api.bodyTime = 200 * time.Millisecond
	slow := s.dial(t, post(execute(opKeyed), "ann", maxInput)+strings.Repeat(" ", smallBody))
	res, err := http.ReadResponse(bufio.NewReader(slow), nil)
	if err != nil || res.StatusCode != http.StatusRequestTimeout || res.Header.Get("Content-Type") != problemType {
		t.Fatalf("answered %+v, %v", res, err)
	}
	s.api.bodyTime = bodyTime
	if !s.api.bodies.TryAcquire(bodyRoom) {
		t.Error("it still holds room")
	}
	s.api.bodies.Release(bodyRoom)
	if len(n.calls) != 0 {
		t.Error("the node was called")
	}
}

// Large bodies have a room of a certain size, and what does not fit is told to come again; small ones
// pass beside it.
func TestManyLargeBodies(t *testing.T) {
	s, _ := withNode(t)
	waiting := make([]net.Conn, bodyRoom/maxInput)
	refused := make(chan int, len(waiting))
	enter := func(i int) {
		conn := s.dial(t, post(execute(opKeyed), "ann", maxInput)+strings.Repeat(" ", smallBody))
		waiting[i] = conn
		go func() { // until it is closed
			if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				_ = res.Body.Close()
				refused <- i
			}
		}()
	}
	for i := range waiting {
		enter(i)
	}
	eventually(t, func() bool { // all of them have come in
		select {
		case i := <-refused: // to look takes room, too
			enter(i)
		default:
		}
		free := s.api.bodies.TryAcquire(maxInput)
		if free {
			s.api.bodies.Release(maxInput)
		}
		return !free
	})
	large := fmt.Sprintf(`{"input":{"a":%q}}`, strings.Repeat("x", maxInput-100))
	if a := s.ask(t, "POST", execute(opKeyed), large); a.status != 503 || a.problem(t).Code != "busy" || a.header.Get("Retry-After") != "1" {
		t.Errorf("one too many: %d %.300s", a.status, a.body)
	}
	if a := s.ask(t, "POST", execute(opKeyed), `{}`); a.status != 200 {
		t.Errorf("a small one beside them: %+v", a)
	}
	small := s.dial(t, "POST "+execute(opKeyed)+" HTTP/1.1\r\nHost: localhost\r\nCaller: ann\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(small), nil); err != nil || res.StatusCode != 200 {
		t.Errorf("one that does not say how large it is: %+v %v", res, err)
	}
	for _, c := range waiting {
		c.Close()
	}
	eventually(t, func() bool { // they are gone
		return s.ask(t, "POST", execute(opKeyed), large).status == 200
	})
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for give := time.Now().Add(2 * time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(give) {
			t.Fatal("it does not come")
		}
	}
}

// Hostile bodies from many connections leave the memory as it was.
func TestMemoryIsFlat(t *testing.T) {
	s, n := withNode(t)
	s.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 8
	bodies := []string{
		`{"input":{"a":[` + strings.Repeat("1,", 200_000) + `1]}}`,
		strings.Repeat(`{"a":`, 100_000),
		`{"input":{` + strings.Repeat(`"a":1,`, 100_000) + `"b":1}}`,
		`{"input":{"` + strings.Repeat("n", 1<<20) + `":1,"` + strings.Repeat("n", 1<<20) + `":1}}`,
		strings.Repeat(" ", 2<<20),
		`{"x":"` + strings.Repeat(`\u0041`, 200_000) + `"}`,
	}
	round := func() {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range bodies {
					if a := s.ask(t, "POST", execute(opKeyed), bodies[(i+j)%len(bodies)]); a.status < 200 || a.status > 503 || len(a.body) > 4<<20 {
						t.Errorf("answered %d with %d bytes", a.status, len(a.body))
					}
				}
			})
		}
		wg.Wait()
		for len(n.calls) > 0 {
			<-n.calls
		}
	}
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	round()
	before := heap()
	round()
	if after := heap(); after > before+16<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
}

// A reader that takes nothing ends its stream, and the call goes on without it.
func TestSlowReaders(t *testing.T) {
	s, n := withNode(t)
	done := make(chan bool, 1)
	n.do = func(client.Request) (client.Result, error) {
		done <- true
		return client.Result{Output: sdk.JSON(`"` + strings.Repeat("x", 64<<20) + `"`)}, nil
	}
	s.api.patience = 200 * time.Millisecond
	s.dial(t, "POST "+execute(opKeyed)+" HTTP/1.1\r\nHost: localhost\r\nCaller: ann\r\nAccept: text/event-stream\r\nContent-Length: 2\r\n\r\n{}")
	<-done
	eventually(t, func() bool { // by the server: the test still holds it
		select {
		case state := <-s.states:
			return state == http.StateClosed
		default:
			return false
		}
	})
}
