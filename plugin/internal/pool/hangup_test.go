package pool

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// If WhatsApp falls silent, as after a loss of the network, the pool still closes within the time that a host gives a
// node.
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

// A server that accepts connections but answers neither the handshake nor the login holds nobody up: neither the closing
// of the pool, whether an instance connects or is being paired, nor the caller of the pairing.
func TestCloseWhileConnecting(t *testing.T) {
	for pieces, unanswered := range map[int32]string{1: "handshake", 2: "login"} {
		t.Run(unanswered, func(t *testing.T) {
			w := newWorld(t, wasim.Options{})
			w.adopt(1)
			server, err := ParseServer(w.sim.URL(), w.sim.RootKey())
			must(t, err)
			way := newWay(t, server.addr)
			way.mute.Store(pieces)
			server.addr = way.Addr().String()
			p := w.open(func(o *Options) { o.Server = server })
			<-way.unanswered
			i, _ := w.shop(p, 2)
			left := make(chan error, 1)
			ctx, leave := context.WithCancel(w.ctx())
			go func() { left <- i.Connect(ctx, "", func(Prompt) {}) }()
			<-way.unanswered
			leave()
			within := func(ended <-chan error) error {
				select {
				case err := <-ended:
					return err
				case <-time.After(15 * time.Second): // whatsmeow waits for its handshake for 20
					return errors.New("it is still under way")
				}
			}
			if err := within(left); !errors.Is(err, context.Canceled) {
				t.Errorf("the pairing that was left: %v", err)
			}
			go func() { left <- i.Connect(w.ctx(), "", func(Prompt) {}) }()
			<-way.unanswered
			closed := make(chan error, 1)
			go func() { closed <- p.Close(w.ctx()) }()
			must(t, within(closed))
			if err := within(left); err == nil {
				t.Error("an instance is paired without an answer")
			}
		})
	}
}

// way is the network between a pool and its server, until it is frozen. If mute is set, it lets only that many pieces from
// the server through on each connection (0: all). The first is the acceptance of the connection, the second the server's
// part of the handshake.
type way struct {
	net.Listener
	frozen     chan struct{}
	mute       atomic.Int32
	unanswered chan struct{} // holds a token for each connection that waits for an answer
	work       sync.WaitGroup
}

func newWay(t *testing.T, to string) *way {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w := &way{Listener: l, frozen: make(chan struct{}), unanswered: make(chan struct{}, 16)}
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
			w.work.Go(func() { w.carry(there, from, func() { w.unanswered <- struct{}{} }) })
			w.work.Go(func() { w.carry(from, there, nil) })
			w.work.Go(func() {
				<-ended
				_, _ = from.Close(), there.Close()
			})
		}
	})
	return w
}

func (w *way) freeze() { close(w.frozen) }

// carry copies from one end to the other. It calls asks for the first piece that will get no answer; asks is nil in the
// direction from the server.
func (w *way) carry(to io.Writer, from io.Reader, asks func()) {
	piece := make([]byte, 32<<10)
	for pieces := int32(1); ; pieces++ {
		n, err := from.Read(piece)
		if err != nil {
			return
		}
		select {
		case <-w.frozen: // both ends stay open
			return
		default:
		}
		if pieces == w.mute.Load()+1 && pieces > 1 {
			if asks == nil {
				return
			}
			asks()
		}
		if _, err := to.Write(piece[:n]); err != nil {
			return
		}
	}
}
