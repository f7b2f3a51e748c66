package bench

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// sends has the first n instances of every arm send the menu, each a number of times per round. It
// measures messages per second, the median time of one send, and its processor time in all
// processes, in milliseconds.
func (l *lab) sends(t table, n, rounds, each int) {
	l.tb.Helper()
	l.grow(n)
	arms := l.arms()
	median, cpu := make([][]float64, len(arms)), make([][]float64, len(arms))
	all := []program{{pid: os.Getpid()}, {pid: l.nodeProcess()}, {pid: l.alone.process.pid()}}
	rate, err := turns(rounds, len(arms), func(i int) (float64, error) {
		before, err := processorTime(all)
		if err != nil {
			return 0, err
		}
		rate, ms, err := l.burst(arms[i], n, each)
		if err != nil {
			return 0, err
		}
		used, err := processorTime(all)
		median[i], cpu[i] = append(median[i], ms), append(cpu[i], (used-before)/float64(n*each))
		return rate, err
	})
	l.must(err)
	for i := range cpu { // the kernel counts in ticks of 10 ms, so only the sum of many rounds is exact
		cpu[i] = []float64{mean(cpu[i])}
	}
	faster, added := "≥ 1.8 / 2.5", "" // the minimum and the goal
	if n == 1 {
		faster, added = "≥ 1.1 / 1.5", "≤ +0.1 / 0"
	}
	t.add(measure{name: title("send", n) + ", messages/s", values: rate, combine: quotient, decimals: 0, goal: faster})
	t.add(measure{name: title("send", n) + ", median ms", values: median, combine: difference, decimals: 2, goal: added})
	t.add(measure{name: title("send", n) + ", CPU ms", values: cpu, combine: quotient, decimals: 2, goal: "≤ 1.2 / 1"})
}

// processorTime returns the processor time of all processes together, in milliseconds: of this one,
// in which the simulator works for every arm, of the node, and of the bare clients' own process.
func processorTime(all []program) (sum float64, err error) {
	for _, p := range all {
		one, err := p.cpu()
		if err != nil {
			return 0, err
		}
		sum += one
	}
	return sum, nil
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// strangers has the first instance of every arm send the menu to people it has never written to and
// whose numbers nobody has looked up, some at a time. It measures messages per second.
func (l *lab) strangers(t table, rounds, people int) {
	l.tb.Helper()
	arms := l.arms()
	rate, err := turns(rounds, len(arms), func(i int) (float64, error) { return l.greetings(arms[i], people) })
	l.must(err)
	t.add(measure{name: fmt.Sprintf("%d new recipients, messages/s", people), values: rate, combine: quotient, decimals: 0, goal: "≥ 1.3 / 2"})
}

// greetings is one round of strangers for one arm.
func (l *lab) greetings(a *arm, people int) (perSecond float64, err error) {
	accounts := make([]*wasim.Account, people)
	for n := range accounts {
		if accounts[n], err = l.sim.NewAccount(fmt.Sprintf("44770%06d", l.met)); err != nil {
			return 0, err
		}
		l.met++
	}
	all := make([]errand, people)
	for i, to := range accounts {
		all[i] = errand{to: []*wasim.Account{to}, greet: true}
	}
	_, whole, err := a.run(l.ctx, all, 32)
	return float64(people) / whole.Seconds(), err
}

// burst has each of n instances of an arm send a number of messages, one after the other.
func (l *lab) burst(a *arm, n, each int) (perSecond, medianMs float64, err error) {
	all := make([]errand, n)
	for i := range all {
		all[i] = errand{from: i, to: slices.Repeat([]*wasim.Account{l.customer(i)}, each)}
	}
	took, whole, err := a.run(l.ctx, all, n)
	return float64(n*each) / whole.Seconds(), quantile(took, 0.5), err
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
