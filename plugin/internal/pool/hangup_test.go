package pool

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// A WhatsApp that says nothing any more, as behind a network that is gone, does not keep the pool from closing in the
// time that a host gives a node.
func TestCloseWithoutAnswer(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	var devices []*wasim.Device
	for n := range 3 {
		devices = append(devices, w.adopt(1+n))
	}
	server, err := ParseServer(w.sim.URL(), w.sim.RootKey())
	must(t, err)
	way := newWay(t, server.addr)
	server.addr = way.Addr().String()
	p := w.open(func(o *Options) { o.Server = server })
	for _, i := range p.List() {
		w.until(i, "connected", in(Connected))
	}
	way.freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // process.Spec.CloseTimeout
	defer cancel()
	must(t, p.Close(ctx))
	for _, d := range devices {
		if d.Logins() != 1 {
			t.Errorf("%d logins", d.Logins())
		}
	}
}

// way is what lies between a pool and its server, until it is frozen.
type way struct {
	net.Listener
	frozen chan struct{}
	work   sync.WaitGroup
}

func newWay(t *testing.T, to string) *way {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w := &way{Listener: l, frozen: make(chan struct{})}
	ended := make(chan struct{})
	t.Cleanup(func() {
		close(ended)
		must(t, l.Close())
		w.work.Wait()
	})
	w.work.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", to)
			if err != nil {
				t.Error(err)
				return
			}
			w.work.Go(func() { w.carry(there, from) })
			w.work.Go(func() { w.carry(from, there) })
			w.work.Go(func() {
				<-ended
				_, _ = from.Close(), there.Close()
			})
		}
	})
	return w
}

func (w *way) freeze() { close(w.frozen) }

func (w *way) carry(to io.Writer, from io.Reader) {
	piece := make([]byte, 32<<10)
	for {
		n, err := from.Read(piece)
		if err != nil {
			return
		}
		select {
		case <-w.frozen: // and both ends stay open
			return
		default:
		}
		if _, err := to.Write(piece[:n]); err != nil {
			return
		}
	}
}
