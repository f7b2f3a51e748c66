package bench

import (
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// sends has the first n instances of every arm send the menu, each of them so often
// per round: messages per second, and the median time of one send in milliseconds.
func (l *lab) sends(t table, n, rounds, each int) {
	l.tb.Helper()
	l.grow(n)
	arms := l.arms()
	median := make([][]float64, len(arms))
	rate, err := turns(rounds, len(arms), func(i int) (float64, error) {
		rate, ms, err := l.burst(arms[i], n, each)
		median[i] = append(median[i], ms)
		return rate, err
	})
	l.must(err)
	t.add(measure{name: title("send", n) + ", messages/s", values: rate, combine: quotient, decimals: 0, goal: "≥ 0.9"})
	goal := ""
	if n == 1 {
		goal = "≤ +0.3 ms"
	}
	t.add(measure{name: title("send", n) + ", median ms", values: median, combine: difference, decimals: 2, goal: goal})
}

// burst has n instances of an arm send each messages, one after the other per instance.
func (l *lab) burst(a *arm, n, each int) (perSecond, medianMs float64, err error) {
	took := make([][]float64, n)
	began := time.Now()
	var g errgroup.Group
	for i := range n {
		g.Go(func() error {
			for range each {
				sent := time.Now()
				if err := a.send(l.ctx, i, l.customer(i)); err != nil {
					return err
				}
				took[i] = append(took[i], ms(time.Since(sent)))
			}
			return nil
		})
	}
	err = g.Wait()
	total := time.Since(began)
	if err != nil {
		return 0, 0, err
	}
	return float64(n*each) / total.Seconds(), quantile(slices.Concat(took...), 0.5), nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
