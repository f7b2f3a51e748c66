package cli

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/sim"
	"github.com/tapnode/tapnode/plugin/wasim"
)

const (
	crashInstances = 4
	crashPhones    = 24
	crashTimeout   = 4 * time.Second
)

// crashFlow asks, waits, and carries out the answer. Its argument is the address of a web
// service that counts.
const crashFlow = `
apiVersion: flow/v1
kind: Flow
metadata: {id: crash, name: Ask and charge}
vars:
  type: object
  properties: {instance: {type: string}, phone: {type: string}, order: {type: string}}
triggers:
  - {id: start, type: manual, to: menu}
nodes:
  - id: menu
    type: whatsapp.sendButtons@1
    with:
      instance: ${ vars.instance }
      number: ${ vars.phone }
      contentText: menu ${ vars.order }
      buttons: [{id: "yes", displayText: "Yes"}, {id: pay, displayText: Pay}]
    wait: {timeout: 4s, late: ignore}
    retry: {max: 20, backoff: constant, initial: 2s}
  - {id: pay, type: http.request@1, with: {method: POST, url: %q, query: {order: "${ vars.order }"}}}
  - id: answer
    type: whatsapp.sendText@1
    with: {instance: "${ vars.instance }", number: "${ vars.phone }", contentText: "answer ${ vars.order }"}
    retry: {max: 20, backoff: constant, initial: 2s}
  - id: lost
    type: whatsapp.sendText@1
    with: {instance: "${ vars.instance }", number: "${ vars.phone }", contentText: "lost ${ vars.order }"}
    retry: {max: 20, backoff: constant, initial: 2s}
  - id: silent
    type: whatsapp.sendText@1
    with: {instance: "${ vars.instance }", number: "${ vars.phone }", contentText: "silent ${ vars.order }"}
    retry: {max: 20, backoff: constant, initial: 2s}
edges:
  - {from: "menu.reply:yes", to: answer}
  - {from: "menu.reply:pay", to: pay}
  - {from: pay.out, to: answer}
  - {from: pay.error, to: lost}
  - {from: menu.timeout, to: silent}
`

// crash is one crash test under way.
type crash struct {
	t     *testing.T
	world *sim.Simulation
	host  *mortalHost
	more  []*mortalHost   // on the same database
	base  *mortalPostgres // nil: SQLite
	web   *counting

	phones []*wasim.Phone
	runs   []asked
	moves  atomic.Int64 // how far all runs together have come; three for each
	kills  map[string]int
}

// sized reads how much of a long test runs.
func sized(variable string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return otherwise
}

// TestCrashRuns: runs ask customers on their phones and wait, while the host, its node and the
// Postgres server are killed with SIGKILL at random points. In the end every run has ended
// once, at the port that the phone or the clock decided; no step was made twice; every send
// has the key of its visit; no phone shows a message twice; what may happen once only has
// happened once at most; and the figures are those of the histories. TAPNODE_CRASH_RUNS and TAPNODE_CRASH_KILLS say how many.
func TestCrashRuns(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		crashRuns(t, nil)
	})
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		crashRuns(t, startMortalPostgres(t))
	})
}

func crashRuns(t *testing.T, base *mortalPostgres) {
	c := &crash{t: t, base: base, runs: make([]asked, sized("TAPNODE_CRASH_RUNS", 60)), kills: map[string]int{}}
	kills := sized("TAPNODE_CRASH_KILLS", 4)
	c.prepare(1)
	began := time.Now()
	c.serve(func() { c.kill(kills) })
	c.settle()
	figures, taps := c.figures()
	c.host.stop(t)
	histories := c.verify()
	c.counted(figures, taps, histories)
	t.Logf("%d runs, kills %v, %d lives of the host, %v", len(c.runs), c.kills, c.host.lives.Load(), time.Since(began).Round(time.Second))
}

// serve lets the customers come while something happens to the hosts.
func (c *crash) serve(meanwhile func()) {
	var all sync.WaitGroup
	customers := min(len(c.runs)/2, 200) // at a time
	for i := range customers {
		all.Go(func() {
			for n := i; n < len(c.runs); n += customers {
				c.live(n)
			}
		})
	}
	meanwhile()
	all.Wait()
}

// prepare pairs the instances, makes the phones and starts the hosts.
func (c *crash) prepare(hosts int) {
	t := c.t
	log := slog.New(slog.DiscardHandler)
	var err error
	if c.world, err = sim.Start(log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.world.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := shortDir(t)
	node := c.world.Settings()
	if c.base != nil {
		if node, err = merge(node, fmt.Appendf(nil, `{"store":{"dsn":%q}}`, c.base.url("node"))); err != nil {
			t.Fatal(err)
		}
	}
	data, settings, flows := filepath.Join(dir, "data"), filepath.Join(dir, "settings.json"), filepath.Join(dir, "crash.yaml")
	var instances []string
	for i := range crashInstances {
		instances = append(instances, crashInstance(i))
	}
	pairAll(t, c.world, data, node, log, instances...)
	for i := range crashPhones {
		phone, err := c.world.Server().NewPhone(t.Context(), crashNumber(i))
		if err != nil {
			t.Fatal(err)
		}
		c.phones = append(c.phones, phone)
	}
	c.web = startCounting(t)
	raw, err := json.Marshal(map[string]json.RawMessage{"whatsapp-send-buttons": node})
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{settings: raw, flows: fmt.Appendf(nil, crashFlow, c.web.URL)} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"serve", flows, "--listen", "127.0.0.1:0", "--settings", settings, "--allow-private"}
	if c.base != nil {
		args = append(args, "--database", c.base.url("runs"))
	}
	c.host = startMortal(t, data, slices.Concat(args, []string{"--data", data})...)
	for i := range hosts - 1 {
		data := filepath.Join(dir, "data"+strconv.Itoa(i+2))
		c.more = append(c.more, startMortal(t, data, slices.Concat(args, []string{"--data", data})...))
	}
}

func crashInstance(i int) string { return "shop" + strconv.Itoa(i) }
func crashNumber(i int) string   { return fmt.Sprintf("55119777%05d", i) }

// kill kills as often, each time when the runs have come a random step further, and a random
// moment later; sometimes again while the host starts.
func (c *crash) kill(times int) {
	total := 3 * len(c.runs)
	nodes := 0 // killed in this life of the host; more than five would quarantine it
	for i := range times {
		until := int64(total*i/times + rand.IntN(total/times+1))
		for c.moves.Load() < until && c.t.Context().Err() == nil && !c.t.Failed() {
			time.Sleep(5 * time.Millisecond) // a kill needs no precision
		}
		time.Sleep(time.Duration(rand.Int64N(int64(300 * time.Millisecond))))
		victim := rand.IntN(100)
		switch {
		case c.base != nil && victim < 30:
			c.base.kill(c.t)
			c.kills["postgres"]++
		case victim < 60 && nodes < 3 && c.host.killNode(c.t):
			nodes++
			c.kills["node"]++
		default:
			c.host.kill()
			c.kills["host"]++
			nodes = 0
			if rand.IntN(4) == 0 {
				time.Sleep(time.Duration(rand.Int64N(int64(700 * time.Millisecond))))
				c.host.kill()
				c.kills["host, starting"]++
			}
		}
	}
}
