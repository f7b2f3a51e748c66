package bench

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// customer's phones have the menu of every arm's first instance.
type audience struct {
	phones []*wasim.Phone
	menus  [][]wasim.Message // by arm, then by phone
}

// invite creates phones, each of which is a customer of every arm.
func (l *lab) invite(n int) audience {
	l.tb.Helper()
	out := audience{menus: make([][]wasim.Message, len(l.arms()))}
	l.invited++
	for i := range n {
		p, err := l.sim.NewPhone(l.ctx, fmt.Sprintf("551195%02d%05d", l.invited, i))
		l.must(err)
		out.phones = append(out.phones, p)
		for k, a := range l.arms() {
			l.must(a.send(l.ctx, 0, p.Account()))
			from := a.accounts[0].LID()
			m, err := p.Wait(l.ctx, func(m wasim.Message) bool { return m.From == from && len(m.Buttons) > 0 })
			l.must(err)
			out.menus[k] = append(out.menus[k], m)
		}
	}
	return out
}

// clicks measures one click at a time, from the tap to the arm's handler. For the host, that is
// after its engine has taken the event.
func (l *lab) clicks(t table, rounds, each int) {
	l.tb.Helper()
	here, arms := l.invite(1), l.arms()
	median, err := turns(rounds, len(arms), func(k int) (float64, error) {
		var took []float64
		for range each {
			tapped := time.Now()
			if _, err := here.phones[0].Click(l.ctx, here.menus[k][0], "home", ""); err != nil {
				return 0, err
			}
			heard, err := arms[k].next(l.ctx)
			if err != nil {
				return 0, err
			}
			took = append(took, ms(heard.Sub(tapped)))
		}
		return quantile(took, 0.5), nil
	})
	l.must(err)
	t.add(measure{name: "click to event, median ms", values: median, combine: difference, decimals: 2, goal: "≤ +0.5 / +0.2"})
}

func (a *arm) next(ctx context.Context) (time.Time, error) {
	select {
	case at := <-a.clicks:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("%s: a click did not arrive: %w", a.name, ctx.Err())
	}
}

// flood has the server hold back n clicks for one instance, and measures the time from their release
// until the last one arrives.
func (l *lab) flood(t table, rounds, n int) {
	l.tb.Helper()
	const phones = 20
	here, arms := l.invite(phones), l.arms()
	seconds, err := turns(rounds, len(arms), func(k int) (float64, error) {
		device := arms[k].accounts[0].Linked()[0]
		device.Hold(true)
		var g errgroup.Group
		for i, p := range here.phones {
			g.Go(func() error {
				for range n / phones {
					if _, err := p.Click(l.ctx, here.menus[k][i], "home", ""); err != nil {
						return err
					}
				}
				return nil
			})
		}
		err := g.Wait()
		released := time.Now()
		device.Hold(false)
		if err != nil {
			return 0, err
		}
		var last time.Time
		for range n / phones * phones {
			if last, err = arms[k].next(l.ctx); err != nil {
				return 0, err
			}
		}
		return last.Sub(released).Seconds(), nil
	})
	l.must(err)
	t.add(measure{name: fmt.Sprintf("%d clicks at once, s", n), values: seconds, combine: quotient, decimals: 2, goal: "≤ 1.2 / 0.8"})
}
