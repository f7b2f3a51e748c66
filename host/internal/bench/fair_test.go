package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
	"github.com/tapnode/tapnode/plugin/wasim"
)

// The instance whose taps are measured, and the one whose work must not slow them down.
const quiet, busy = 0, 1

const fairFlow = `
apiVersion: flow/v1
kind: Flow
metadata: {id: fair}
vars: {type: object, required: [instance, phone], properties: {instance: {type: string}, phone: {type: string}}}
triggers: [{id: ask, type: manual, to: ask}, {id: say, type: manual, to: say}]
nodes:
  - id: ask
    type: whatsapp.sendButtons@1
    with: {instance: "${ vars.instance }", number: "${ vars.phone }", contentText: "How can we help?", buttons: [{id: home, displayText: Bring it home}, {id: keep, displayText: I will fetch it}], menu: {policy: all}}
    wait: {timeout: 1d, late: restart}
  - {id: answer, type: whatsapp.sendText@1, with: {instance: "${ vars.instance }", number: "${ event.chat.jid }", contentText: On its way}}
  - {id: say, type: whatsapp.sendText@1, with: {instance: "${ vars.instance }", number: "${ vars.phone }", contentText: News}}
edges: [{from: "ask.reply:home", to: answer}, {from: "ask.reply:keep", to: answer}]
`

// choices are tapped in turn, because a second tap on the same button right after the first counts
// as accidental.
var choices = [2]string{"home", "keep"}

// fairness is the size of the measurement: how many runs wait for their turn to send, which grows
// from step to step, and how many taps are made at each step.
type fairness struct {
	runs                      []int
	taps, measured, perMinute int
}

// BenchmarkFairness prints the way from a tap on a quiet instance to the answer on the phone, alone and while another
// instance has much to do, each with the real programs and database. The phones are this process's, not the host's.
func BenchmarkFairness(b *testing.B) {
	each(b, func(name string, o sqllog.Options) {
		fair(b, os.Stdout, name, o, fairness{runs: []int{300, 1000}, taps: 5000, measured: 100, perMinute: 600})
	})
}

// TestFairness runs the same code in miniature: every tap gets its answer while many runs wait.
func TestFairness(t *testing.T) {
	each(t, func(name string, o sqllog.Options) {
		fair(t, t.Output(), name, o, fairness{runs: []int{10, 30}, taps: 40, measured: 6, perMinute: 1200})
	})
}

func fair(tb testing.TB, w io.Writer, name string, o sqllog.Options, f fairness) {
	tb.Helper()
	l := emptyLab(tb)
	l.perMinute = f.perMinute
	node := ""
	if o.Postgres != "" {
		node = sqldbtest.Postgres(tb)
	}
	g := l.group(2, 1, o.Postgres, node, fairFlow)

	phone, menu := l.customerOf(g, quiet, 0)
	alone, err := l.answered(phone, menu, f)
	l.must(err)
	tell := func(what string, took []float64) {
		fmt.Fprintf(w, "%-44s  p50 %7.1f  p99 %7.1f ms  p99 against alone %.2f\n", what+", "+name, quantile(took, 0.5), quantile(took, 0.99),
			quantile(took, 0.99)/quantile(alone, 0.99))
	}
	fmt.Fprintln(w)
	tell("tap to answer, alone", alone)

	const phones = 20
	var others []*wasim.Phone
	var menus []wasim.Message
	for i := range phones {
		p, m := l.customerOf(g, busy, 1+i)
		others, menus = append(others, p), append(menus, m)
	}
	begun := 0
	for _, n := range f.runs {
		for ; begun < n; begun++ {
			l.must(g.start(l.ctx, "say", busy, others[begun%phones]))
		}
		took, err := l.answered(phone, menu, f)
		l.must(err)
		tell(fmt.Sprintf("beside %d paced runs", n), took)
	}

	device := g.devices[busy]
	device.Hold(true)
	var taps errgroup.Group
	for i, p := range others {
		taps.Go(func() error {
			for n := range f.taps / phones {
				if _, err := p.Click(l.ctx, menus[i], choices[n%2], ""); err != nil {
					return err
				}
			}
			return nil
		})
	}
	l.must(taps.Wait())
	device.Hold(false)
	took, err := l.answered(phone, menu, f)
	l.must(err)
	tell(fmt.Sprintf("beside these and %d taps at once", f.taps), took)
}

// start starts a run of the flow.
func (g *group) start(ctx context.Context, trigger string, on int, phone *wasim.Phone) error {
	vars := map[string]string{"instance": g.instance(on), "phone": phone.Account().Phone()}
	return g.hosts[0].ask(ctx, http.MethodPost, "/v1/flows/fair/runs", map[string]any{"trigger": trigger, "vars": vars}, nil)
}

// customerOf creates a customer who has received a menu of an instance.
func (l *lab) customerOf(g *group, on, n int) (*wasim.Phone, wasim.Message) {
	l.tb.Helper()
	phone, err := l.sim.NewPhone(l.ctx, fmt.Sprintf("55119444%05d", n))
	l.must(err)
	l.must(g.start(l.ctx, "ask", on, phone))
	menu, err := phone.Wait(l.ctx, func(m wasim.Message) bool { return len(m.Buttons) > 0 })
	l.must(err)
	return phone, menu
}

// answered makes the taps to be measured, more slowly than the pace of the instance allows, and
// returns how long the answers took.
func (l *lab) answered(phone *wasim.Phone, menu wasim.Message, f fairness) (took []float64, err error) {
	pace := time.NewTicker(time.Minute / time.Duration(f.perMinute) * 3 / 2)
	defer pace.Stop()
	seen := map[string]bool{}
	for _, m := range phone.Inbox() {
		seen[m.ID] = true
	}
	for n := range f.measured {
		<-pace.C
		tapped := time.Now()
		if _, err := phone.Click(l.ctx, menu, choices[n%2], ""); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(l.ctx, 5*time.Minute)
		m, err := phone.Wait(ctx, func(m wasim.Message) bool { return len(m.Buttons) == 0 && !seen[m.ID] })
		cancel()
		if err != nil {
			return nil, errors.Join(errors.New("a tap on the quiet instance got no answer"), err)
		}
		seen[m.ID] = true
		took = append(took, ms(time.Since(tapped)))
	}
	return took, nil
}
