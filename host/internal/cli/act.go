package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// act is what a simulated customer does.
type act struct {
	tap   bool
	value string // the button's id, or the words
}

func (a act) String() string {
	if a.tap {
		return fmt.Sprintf("button %q could be tapped", a.value)
	}
	return fmt.Sprintf("%q could be written", a.value)
}

// actFlags adds --click and --text, and returns the acts in the order in which they are given.
func actFlags(fs *flag.FlagSet) *[]act {
	acts := new([]act)
	add := func(tap bool) func(string) error {
		return func(value string) error {
			if value == "" {
				return errors.New("it is empty")
			}
			*acts = append(*acts, act{tap, value})
			return nil
		}
	}
	fs.Func("click", "id of a `BUTTON` to tap when a message offers it (with --simulate); several --click and --text happen in turn", add(true))
	fs.Func("text", "`WORDS` that the customer writes instead of tapping, or to start the --trigger (with --simulate)", add(false))
	return acts
}

// How long an act may take, and how long to wait for its effect.
const (
	actTimeout  = 30 * time.Second
	newsTimeout = 30 * time.Second
)

// errNothing means that an act had no visible effect.
var errNothing = errors.New("nothing came of it")

// perform does the act at the newest wait that accepts it.
func (h *host) perform(ctx context.Context, p *flow.Program, a act, waits []wait) error {
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	for _, w := range slices.Backward(waits) {
		if !a.tap {
			if err := h.sim.Reply(ctx, w.message, a.value); err != nil {
				return fmt.Errorf("write %q: %w", a.value, err)
			}
			return nil
		}
		if slices.Contains(w.Offered, "reply:"+a.value) {
			if err := h.sim.Click(ctx, w.message, a.value); err != nil {
				return fmt.Errorf("tap %q: %w", a.value, err)
			}
			return nil
		}
	}
	var sorry []string
	for _, w := range waits {
		sorry = append(sorry, fmt.Sprintf("node %s has no button %q; it waits for %s", w.Node, a.value, strings.Join(w.takes(p), ", ")))
	}
	return invalid("%s", strings.Join(sorry, "; "))
}

// wait is a visit at which a run waits, with the id of the message that asks.
type wait struct {
	run.Visit
	message string
}

// waits returns the state of a run and its waits; messages are by visit.
func (h *host) waits(ctx context.Context, id string, messages map[int]string) (run.State, []wait, error) {
	s, err := h.Engine.State(ctx, id)
	if err != nil {
		return s, nil, err
	}
	var out []wait
	for _, v := range s.Visits {
		if s.Status == run.StatusRunning && v.Wait == run.WaitArmed && v.Call == run.CallDone { // the message has been sent
			out = append(out, wait{v, messages[v.N]})
		}
	}
	return s, out, nil
}

// takes returns the ports by which an answer can continue the run.
func (w wait) takes(p *flow.Program) []string {
	ports := slices.Clone(w.Offered)
	if n := p.Node(w.Node); n.TakesWords(portText) && len(n.Targets(portText)) > 0 {
		ports = append(ports, portText)
	}
	return ports
}

// portText is the port of answers in words.
const portText = "text"

// leave prints the waits that nobody will answer.
func leave(c console, p *flow.Program, waits []wait, simulated bool) {
	for _, w := range waits {
		fmt.Fprintf(c.err, "left open: node %s waits for up to %s for %s\n", w.Node, flow.Span(time.Until(w.Deadline)), printable(strings.Join(w.takes(p), ", ")))
	}
	if len(waits) == 0 {
		return
	}
	advice := "tapnode serve keeps runs going"
	if simulated {
		advice = "answer with --click BUTTON or --text WORDS, or let tapnode serve keep it going"
	}
	fmt.Fprintf(c.err, "the run ends here, unfinished: %s\n", advice)
}
