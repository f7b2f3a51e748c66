package wasim_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// pings notes which accounts have sent a keep-alive, and closes all when everybody has.
type pings struct {
	want int
	all  chan struct{}

	mu   sync.Mutex
	seen map[string]bool
}

func (p *pings) note(ev wasim.FaultEvent) wasim.Fault {
	if ev.Stage == wasim.StageIQ && ev.Type == "w:p" {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.seen[ev.Account] = true; len(p.seen) == p.want {
			p.want = -1
			close(p.all)
		}
	}
	return wasim.Fault{}
}

// A thousand clients (crowd) log in, stay through a keep-alive, and each sends a message to the next.
func TestCrowd(t *testing.T) {
	if testing.Short() {
		t.Skip("a thousand clients take some seconds")
	}
	const clients, workers, maxMemory = crowd, 8, 512 << 20
	alive := &pings{want: clients, all: make(chan struct{}), seen: make(map[string]bool)}
	s := start(t, wasim.Options{OnFault: alive.note})
	began := time.Now()
	phones := make([]*wasim.Phone, clients)
	var connect errgroup.Group
	connect.SetLimit(workers)
	for i := range phones {
		connect.Go(func() (err error) {
			phones[i], err = s.NewPhone(within(t), fmt.Sprintf("5511%09d", i))
			return err
		})
	}
	if err := connect.Wait(); err != nil {
		t.Fatal(err)
	}
	connected := time.Since(began)
	select {
	case <-alive.all:
	case <-time.After(2 * patience):
		alive.mu.Lock()
		defer alive.mu.Unlock()
		t.Fatalf("%d of %d clients have sent a keep-alive", len(alive.seen), clients)
	}
	idle := resident()

	began = time.Now()
	var talk errgroup.Group
	talk.SetLimit(workers)
	for i := range phones {
		talk.Go(func() error {
			ctx, to := within(t), phones[(i+1)%clients]
			id, err := phones[i].SendText(ctx, to.JID(), "hello")
			if err == nil {
				_, err = to.WaitID(ctx, id)
			}
			return err
		})
	}
	if err := talk.Wait(); err != nil {
		t.Fatal(err)
	}
	talked := time.Since(began)
	for _, p := range phones {
		if d := p.Device(); !d.Online() || d.Logins() != 1 {
			t.Fatalf("a client did not stay: online %v, %d logins", d.Online(), d.Logins())
		}
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	t.Logf("%d clients and the server in one process: connected in %v, a first message each in %v; RSS %s idle, %s at the end; heap %d MiB, stacks %d MiB",
		clients, connected.Round(time.Millisecond), talked.Round(time.Millisecond), idle, resident(), m.HeapInuse>>20, m.StackInuse>>20)
	if used := m.HeapInuse + m.StackInuse; used > maxMemory {
		t.Errorf("%d MiB in use, more than %d", used>>20, maxMemory>>20)
	}
}

// resident is the process's memory as Linux counts it.
func resident() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}
