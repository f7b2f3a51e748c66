package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tapnode/tapnode/plugin/wasim"
)

const (
	// again is how long an instance may be without a host: the lease, and ten seconds.
	again = 25 * time.Second
	// takenBack is how long a host that logs in without being the owner may stay. When it is
	// stopped, or an instance changes hands, just as it decides to log in, it acts on that decision
	// late.
	takenBack = 5 * time.Second
	// slack is the factor by which an overloaded machine may take longer.
	slack = 2
)

// watch sees from WhatsApp's side which host has which instance, and in the database which host
// should have it.
type watch struct {
	c       *crash
	ids     []string // of the hosts
	devices []*wasim.Device
	quit    context.CancelFunc
	loops   sync.WaitGroup

	mu     sync.Mutex
	now    []watched // of each instance
	dark   []outage
	logins []login
	asked  []time.Time // when the database answered
}

type watched struct {
	host   int // that is logged in; -1 if none is
	logins int
	since  time.Time // since when it is not served; zero if it is served
	owners []owned   // as they came
}

type owned struct {
	at   time.Time
	host string
}

// outage is a period in which no working host had an instance.
type outage struct {
	instance int
	stretch
}

type login struct {
	at             time.Time
	instance, host int
}

// startWatch begins when all instances are connected.
func startWatch(c *crash) *watch {
	w := &watch{c: c}
	for _, h := range c.hosts() {
		id, err := os.ReadFile(filepath.Join(h.data, "host.id"))
		if err != nil {
			c.t.Fatal(err)
		}
		w.ids = append(w.ids, strings.TrimSpace(string(id)))
	}
	numbers := c.world.Numbers()
	for i := range c.instances {
		w.devices = append(w.devices, c.world.Server().Account(numbers[crashInstance(i)]).Linked()[0])
		w.now = append(w.now, watched{host: -1, since: time.Now()})
	}
	var ctx context.Context
	ctx, w.quit = context.WithCancel(c.t.Context())
	w.loops.Go(func() { every(ctx, 20*time.Millisecond, w.look) })
	w.loops.Go(func() { every(ctx, 200*time.Millisecond, func() { w.ask(ctx) }) })
	c.t.Cleanup(w.stop)
	return w
}

func every(ctx context.Context, d time.Duration, do func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for ctx.Err() == nil {
		do()
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

func (w *watch) stop() {
	w.quit()
	w.loops.Wait()
}

// look asks WhatsApp.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, d := range w.devices {
		at, n := d.RemoteAddr(), &w.now[i]
		logins := d.Logins()
		host := slices.IndexFunc(w.c.links, func(l way) bool { return l.whatsapp.from(at) })
		now := time.Now()
		if logins != n.logins && host >= 0 {
			w.logins = append(w.logins, login{now, i, host})
		}
		n.host, n.logins = host, logins
		switch served := host >= 0 && w.c.hosts()[host].works(); {
		case served && !n.since.IsZero():
			w.dark = append(w.dark, outage{i, stretch{n.since, now}})
			n.since = time.Time{}
		case !served && n.since.IsZero():
			n.since = now
		}
	}
}

// ask asks the database.
func (w *watch) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, w.c.base.url("runs"))
	if err != nil {
		return // the database is failing over
	}
	defer conn.Close(ctx) //nolint:errcheck // it was only read
	rows, err := conn.Query(ctx, `SELECT subject, host FROM engine_owners WHERE subject <> ''`)
	if err != nil {
		return
	}
	got := map[string]string{}
	var subject, host string
	if _, err := pgx.ForEachRow(rows, []any{&subject, &host}, func() error { got[subject] = host; return nil }); err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.asked = append(w.asked, now)
	for i := range w.now {
		n, host := &w.now[i], got[crashInstance(i)]
		if len(n.owners) == 0 || n.owners[len(n.owners)-1].host != host {
			n.owners = append(n.owners, owned{now, host})
		}
	}
}

// served reports whether each instance is on a working host.
func (w *watch) served() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !slices.ContainsFunc(w.now, func(n watched) bool { return !n.since.IsZero() })
}

// judge reports how long instances were without a host, and which hosts had them wrongly.
func (w *watch) judge(began time.Time) {
	w.stop()
	t := w.c.t
	var alone, met []time.Duration
	for _, o := range w.dark {
		switch long := o.stretch[1].Sub(o.stretch[0]).Round(10 * time.Millisecond); {
		case o.stretch[0].Before(began):
		case w.c.faults.between(o.stretch[0].Add(time.Second), o.stretch[1]) > 0:
			met = append(met, long)
		default:
			if alone = append(alone, long); long > slack*again {
				t.Errorf("%s was without a host for %v from %v on, and nothing else happened meanwhile", crashInstance(o.instance), long, o.stretch[0])
			}
		}
	}
	t.Logf("without a host, by one fault: %s; while another came: %s", spread(alone), spread(met))
	strange, longest := 0, time.Duration(0)
	for i, l := range w.logins {
		if l.at.Before(began) || w.entitled(l) || l.at.After(w.asked[len(w.asked)-1].Add(-2*time.Second)) { // the database may not have been asked since
			continue
		}
		strange++
		next := slices.IndexFunc(w.logins[i:], func(n login) bool { return n.instance == l.instance && n.host != l.host })
		if next < 0 || w.logins[i+next].at.Sub(l.at) > takenBack {
			t.Errorf("%s: host %s logs in at %v and stays, and the owners were %v; the faults: %v", crashInstance(l.instance), w.ids[l.host], l.at, w.now[l.instance].owners, w.c.faults.began)
			continue
		}
		longest = max(longest, w.logins[i+next].at.Sub(l.at))
	}
	t.Logf("%d logins, %d of them by no owner, which had the instance for %v at most", len(w.logins), strange, longest.Round(time.Millisecond))
}

// entitled reports whether a host was the owner when it logged in, or just before: its node is told
// within a moment.
func (w *watch) entitled(l login) bool {
	from, to := l.at.Add(-10*time.Second), l.at.Add(2*time.Second)
	last := from
	for _, at := range w.asked {
		if at.After(from) && at.Before(to) {
			if at.Sub(last) > 2*time.Second {
				return true // the owner at that time is not known
			}
			last = at
		}
	}
	owners := w.now[l.instance].owners
	for i, o := range owners {
		if o.host == w.ids[l.host] && o.at.Before(to) && (i+1 == len(owners) || owners[i+1].at.After(from)) {
			return true
		}
	}
	return to.Sub(last) > 4*time.Second
}

// spread describes how long some things took.
func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "none"
	}
	slices.Sort(all)
	at := func(share float64) time.Duration { return all[int(share*float64(len(all)-1))] }
	long := 0
	for _, d := range all {
		if d > again {
			long++
		}
	}
	return fmt.Sprintf("%d, p50 %v, p99 %v, longest %v, %d above %v", len(all), at(0.5), at(0.99), at(1), long, again)
}
