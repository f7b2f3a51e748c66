package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// BenchmarkCluster prints the figures of docs/cluster.md: one host on SQLite, one on Postgres and
// three on Postgres. Each arm runs the real programs with the same number of instances on one
// simulator, and they take turns, round by round.
func BenchmarkCluster(b *testing.B) {
	clusters(b, os.Stdout, clusterSize{instances: 50, rounds: 6, each: 10, taps: 20, deaths: 3})
}

// TestCluster runs the same code in miniature.
func TestCluster(t *testing.T) {
	clusters(t, t.Output(), clusterSize{instances: 3, rounds: 1, each: 2, taps: 2, deaths: 1})
}

// clusterSize is how much is done: the instances of each arm, the messages of each instance and the
// taps in a round, and the hosts that are killed.
type clusterSize struct{ instances, rounds, each, taps, deaths int }

func clusters(tb testing.TB, w io.Writer, size clusterSize) {
	tb.Helper()
	if sqldbtest.Server() == "" {
		tb.Skip("several hosts need Postgres")
	}
	l := emptyLab(tb)
	hits := countHits(tb)
	flow := fmt.Sprintf(tapFlow, hits.server.URL)
	arms := []*group{
		l.group(size.instances, 1, "", "", flow),
		l.group(size.instances, 1, sqldbtest.Postgres(tb), sqldbtest.Postgres(tb), flow),
		l.group(size.instances, 3, sqldbtest.Postgres(tb), sqldbtest.Postgres(tb), flow),
	}
	for _, g := range arms {
		g.hits = hits
	}
	const row = "%-44s  %-20s  %-20s  %-20s  %-20s  %s\n"
	fmt.Fprintf(w, "\n"+row, fmt.Sprintf("%d instances, median (quartiles)", size.instances), "one host, SQLite", "one, Postgres", "three, Postgres", "three against one", "three against SQLite")
	show := func(name string, decimals int, values [][]float64) {
		fmt.Fprintf(w, row, name, statOf(values[0]).text(decimals), statOf(values[1]).text(decimals), statOf(values[2]).text(decimals),
			statOf(pairwise(values[2], values[1], quotient)).text(2), statOf(pairwise(values[2], values[0], quotient)).text(2))
	}
	for _, g := range arms { // sessions and lookups are warm
		_, err := g.sends(l.ctx, 1)
		l.must(err)
	}
	cpu, base := make([][]float64, len(arms)), make([][]float64, len(arms))
	rates, err := turns(size.rounds, len(arms), func(i int) (float64, error) {
		before, pg := arms[i].cpu(), arms[i].baseCPU()
		rate, err := arms[i].sends(l.ctx, size.each)
		n := float64(size.instances * size.each)
		cpu[i], base[i] = append(cpu[i], (arms[i].cpu()-before)/n), append(base[i], (arms[i].baseCPU()-pg)/n)
		return rate, err
	})
	l.must(err)
	show("sends/s", 0, rates)
	show("CPU ms of hosts and nodes per message", 2, cpu)
	show("CPU ms of Postgres per message", 2, base)
	p50, err := turns(size.rounds, len(arms), func(i int) (float64, error) { return arms[i].taps(l.ctx, size.taps) })
	l.must(err)
	show("a tap to the next node's Execute, ms", 1, p50)
	many, err := turns(size.rounds, len(arms), func(i int) (float64, error) { return arms[i].together(l.ctx) })
	l.must(err)
	show("taps/s, one on each instance at once", 0, many)
	gone, err := turns(size.deaths, len(arms), func(i int) (float64, error) { return arms[i].takeover(l.ctx) })
	l.must(err)
	show("SIGKILL until all are connected again, s", 1, gone)
}

// sends has each instance send a number of menus, one after the other, through the hosts in turn.
// It returns the messages per second.
func (g *group) sends(ctx context.Context, each int) (float64, error) {
	began := time.Now()
	var all errgroup.Group
	for i := range g.devices {
		all.Go(func() error {
			for n := range each {
				if err := g.host(i+n).send(ctx, g.instance(i), g.phones[i].Account().Phone()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := all.Wait()
	return float64(each*len(g.devices)) / time.Since(began).Seconds(), err
}

// taps makes one tap after the other. It returns the median time from the phone to the call of the
// next node.
func (g *group) taps(ctx context.Context, n int) (float64, error) {
	var took []float64
	for range n {
		g.order++
		i := g.order % len(g.devices)
		menu, err := g.ask(ctx, g.host(g.order), i)
		if err != nil {
			return 0, err
		}
		tapped := time.Now()
		if _, err := g.phones[i].Click(ctx, menu, "home", ""); err != nil {
			return 0, err
		}
		hit, err := g.hits.next(ctx)
		if err != nil {
			return 0, err
		}
		took = append(took, ms(hit.Sub(tapped)))
	}
	return quantile(took, 0.5), nil
}

// together makes a tap on each instance at the same time. It returns how many of them per second
// reached the call of the next node.
func (g *group) together(ctx context.Context) (float64, error) {
	var asked, tapped errgroup.Group
	taps := make([]func() error, len(g.devices))
	for i := range g.devices {
		asked.Go(func() error {
			menu, err := g.ask(ctx, g.host(i), i)
			taps[i] = func() error {
				_, err := g.phones[i].Click(ctx, menu, "home", "")
				return err
			}
			return err
		})
	}
	if err := asked.Wait(); err != nil {
		return 0, err
	}
	began := time.Now()
	for _, tap := range taps {
		tapped.Go(tap)
	}
	var last time.Time
	for range taps {
		var err error
		if last, err = g.hits.next(ctx); err != nil {
			return 0, err
		}
	}
	return float64(len(taps)) / last.Sub(began).Seconds(), tapped.Wait()
}

// takeover kills a host and returns after how many seconds all instances are connected again: by the
// other hosts or, if there are none, by the same host, which is restarted at once. In either case
// the killed host is running again afterwards.
func (g *group) takeover(ctx context.Context) (float64, error) {
	g.deaths++
	h := g.host(g.deaths)
	before := g.logins()
	killed := time.Now()
	if err := h.kill(ctx); err != nil {
		return 0, err
	}
	if len(g.hosts) == 1 {
		h.begin()
	}
	if err := g.until(ctx, func() bool { return g.logins() > before && g.online() }); err != nil {
		return 0, err
	}
	took := time.Since(killed).Seconds()
	if len(g.hosts) > 1 {
		h.begin()
	}
	return took, nil
}
