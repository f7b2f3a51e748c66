package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
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

// crashFlow asks, waits, and carries out the answer. Its argument is the address of a web service
// that counts its calls.
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
    retry: {max: 20, backoff: constant, initial: 4s}
  - {id: pay, type: http.request@1, with: {method: POST, url: %q, query: {order: "${ vars.order }"}}}
  - id: answer
    type: whatsapp.sendText@1
    with: {instance: "${ vars.instance }", number: "${ vars.phone }", contentText: "answer ${ vars.order }"}
    retry: {max: 20, backoff: constant, initial: 4s}
  - id: lost
    type: whatsapp.sendText@1
    with: {instance: "${ vars.instance }", number: "${ vars.phone }", contentText: "lost ${ vars.order }"}
    retry: {max: 20, backoff: constant, initial: 4s}
  - id: silent
    type: whatsapp.sendText@1
    with: {instance: "${ vars.instance }", number: "${ vars.phone }", contentText: "silent ${ vars.order }"}
    retry: {max: 20, backoff: constant, initial: 4s}
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

	instances int    // crashInstances, unless said otherwise
	both      *pair  // base and its standby, if there is one to take over
	links     []way  // of each host; nil: direct connections
	faults    faults // of the hosts
	watch     *watch // of the hosts; nil: none

	phones []*wasim.Phone
	runs   []asked
	moves  atomic.Int64 // progress of all runs together; three for each
	kills  map[string]int
}

// sized reads how much of a long test to run.
func sized(variable string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return otherwise
}

// TestCrashRuns: runs ask customers on their phones and wait, while the host, its node and the
// Postgres server are killed with SIGKILL at random points. In the end every run has ended once, at
// the port that the phone or the clock decided; no step was made twice; every send has the key of
// its visit; no phone shows a message twice; whatever may happen only once has happened at most
// once; and the figures are those of the histories. TAPNODE_CRASH_RUNS and TAPNODE_CRASH_KILLS set
// how many.
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
	c := &crash{t: t, base: base, runs: make([]asked, sized("TAPNODE_CRASH_RUNS", 30)), kills: map[string]int{}}
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

// serve runs the customers while something happens to the hosts.
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

// prepare pairs the instances, creates the phones and starts the hosts.
func (c *crash) prepare(hosts int) {
	t := c.t
	log := slog.New(slog.DiscardHandler)
	c.instances = cmp.Or(c.instances, crashInstances)
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
	node := c.node(nil)
	var instances []string
	for i := range c.instances {
		instances = append(instances, crashInstance(i))
	}
	pairAll(t, c.world, filepath.Join(dir, "data"), node, log, instances...)
	for i := range crashPhones {
		phone, err := c.world.Server().NewPhone(t.Context(), crashNumber(i))
		if err != nil {
			t.Fatal(err)
		}
		c.phones = append(c.phones, phone)
	}
	c.web = startCounting(t)
	if c.both != nil {
		c.links = openWays(t, hosts, c.world.Server(), c.both.primary, c.both.standby)
	}
	flows := put(t, dir, "crash.yaml", fmt.Sprintf(crashFlow, c.web.URL))
	for i := range hosts {
		name, path := "", (*way)(nil)
		if i > 0 {
			name = strconv.Itoa(i + 1)
		}
		if c.links != nil {
			path = &c.links[i]
		}
		data, settings := filepath.Join(dir, "data"+name), put(t, dir, "settings"+name+".json", fmt.Sprintf(`{"whatsapp-send-buttons":%s}`, c.node(path)))
		args := []string{"serve", flows, "--listen", "127.0.0.1:0", "--settings", settings, "--allow-private", "--data", data}
		if c.base != nil {
			args = append(args, "--database", c.url("runs", path))
		}
		if h := startMortal(t, data, args...); i == 0 {
			c.host = h
		} else {
			c.more = append(c.more, h)
		}
	}
}

// url returns the connection string by which a host reaches a database.
func (c *crash) url(name string, path *way) string {
	if path == nil {
		return c.base.url(name)
	}
	return c.base.by(name, path.database())
}

// node returns the settings of a host's node.
func (c *crash) node(path *way) json.RawMessage {
	settings := c.world.Settings()
	add := map[string]any{}
	if c.base != nil {
		add["store"] = map[string]any{"dsn": c.url("node", path)}
	}
	if path != nil {
		add["server"] = map[string]any{"url": "http://" + path.whatsapp.address}
	}
	raw, err := json.Marshal(add)
	if err != nil {
		c.t.Fatal(err)
	}
	if settings, err = merge(settings, raw); err != nil {
		c.t.Fatal(err)
	}
	return settings
}

func crashInstance(i int) string { return "shop" + strconv.Itoa(i) }
func crashNumber(i int) string   { return fmt.Sprintf("55119777%05d", i) }

// kill kills something that many times, each time when the runs have made a random number of
// further steps, and a random moment later; sometimes again while the host starts.
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
