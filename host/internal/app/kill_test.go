package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
)

const askAndAnswer = `
apiVersion: flow/v1
kind: Flow
metadata: {id: ask, name: Ask and answer}
vars:
  type: object
  properties:
    phone: {type: string}
    round: {type: string}
triggers:
  - {id: start, type: manual, to: menu}
nodes:
  - id: menu
    type: whatsapp.sendButtons@1
    with:
      instance: demo
      number: ${ vars.phone }
      contentText: menu ${ vars.round }
      buttons: [{id: "yes", displayText: "Yes"}, {id: "no", displayText: "No"}]
    wait: {timeout: 1h}
    retry: {max: 20, backoff: constant, initial: 1s}
  - id: answer
    type: whatsapp.sendText@1
    with:
      instance: demo
      number: ${ event.chat.jid }
      contentText: answer ${ vars.round }
    retry: {max: 20, backoff: constant, initial: 1s}
edges:
  - {from: "menu.reply:yes", to: answer}
`

// TestKilledNode kills the node process with SIGKILL at random moments while customers
// get menus, tap and get answers. Afterwards every tap has continued its run once,
// and no phone has seen a message twice.
func TestKilledNode(t *testing.T) {
	t.Parallel()
	const customers = 8
	kills := scaled(200, "TAPNODE_KILLS")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))

	a, s := open(t, askAndAnswer)
	start(t, a)
	if err := s.Connect(t.Context(), a.Execute, "demo"); err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	var wg sync.WaitGroup
	rounds := make([]int, customers)
	phones := make([]*wasim.Phone, customers)
	for i := range customers {
		number := fmt.Sprintf("55119999%05d", i+1)
		phone, err := s.Server().NewPhone(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		phones[i] = phone
		wg.Go(func() {
			for !over.Load() && t.Context().Err() == nil {
				rounds[i]++
				if err := converse(t.Context(), a, phone, number, rounds[i]); err != nil {
					t.Errorf("customer %d round %d: %v", i, rounds[i], err)
					return
				}
			}
		})
	}
	steps := count(t, a)
	began, pid := time.Now(), 0
	for n := range kills {
		if t.Failed() {
			break
		}
		pid = servingPID(t, a, pid)
		if n%8 == 7 {
			steps.after(t, 6*customers) // a run has twenty attempts, and on a busy machine almost all of them may be hit by a kill
		}
		steps.after(t, random.IntN(8))
		time.Sleep(time.Duration(random.Int64N(int64(15 * time.Millisecond)))) // so that it hits between two steps, not right after one
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	over.Store(true)
	wg.Wait()
	total := 0
	for i, phone := range phones {
		total += rounds[i]
		seen := map[string]int{}
		for _, m := range phone.Inbox() {
			seen[m.Text]++
		}
		for round := 1; round <= rounds[i]; round++ {
			for _, text := range []string{fmt.Sprintf("menu %d", round), fmt.Sprintf("answer %d", round)} {
				if seen[text] != 1 {
					t.Errorf("customer %d sees %q %d times", i, text, seen[text])
				}
			}
		}
	}
	t.Logf("%d kills, %d conversations in %v, %d processes", kills, total, time.Since(began).Round(time.Second), a.nodes[0].State().Starts)
}

// converse makes one run: a menu, a tap, an answer. It fails if the tap is lost or continues the
// run more than once.
func converse(ctx context.Context, a *App, phone *wasim.Phone, number string, round int) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	id, err := a.Engine.Run(ctx, engine.Request{Flow: "ask", Vars: map[string]any{"phone": number, "round": strconv.Itoa(round)}})
	if err != nil {
		return err
	}
	menu, err := phone.Wait(ctx, func(m wasim.Message) bool { return m.Text == fmt.Sprintf("menu %d", round) })
	if err != nil {
		state, stateErr := a.Engine.State(context.WithoutCancel(ctx), id)
		return errors.Join(fmt.Errorf("no menu: %w; the run is %s: %s", err, state.Status, told(a, id)), stateErr)
	}
	if _, err := phone.Click(ctx, menu, "yes", wasim.ShapeInteractive); err != nil {
		return fmt.Errorf("click: %w", err)
	}
	if _, err := phone.Wait(ctx, func(m wasim.Message) bool { return m.Text == fmt.Sprintf("answer %d", round) }); err != nil {
		return fmt.Errorf("the click was lost: %w", err)
	}
	answered := 0
	for step, err := range a.Engine.Watch(ctx, id, 0) {
		switch {
		case err != nil:
			return err
		case step.Kind == run.TraceWaitAnswered || step.Kind == run.TraceWaitRestarted:
			answered++
		case step.Kind == run.TraceRunFinished:
			if step.Code != string(run.StatusSucceeded) || answered != 1 {
				return fmt.Errorf("run ended %s %s after %d answers", step.Code, step.Message, answered)
			}
			return nil
		}
	}
	return ctx.Err()
}

// told returns the steps of a run, for the message of a failure.
func told(a *App, id string) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // a run that has not ended is watched for this long
	defer cancel()
	var b strings.Builder
	for step, err := range a.Engine.Watch(ctx, id, 0) {
		if err != nil {
			break
		}
		fmt.Fprintf(&b, "\n%s %s %s %s %s", step.Time.Format("05.000"), step.Kind, step.Node, step.Code, step.Message)
	}
	return b.String()
}

// servingPID waits until a process other than the killed one takes calls and its
// instance is connected, so that the kill can hit every step of a send and a click.
func servingPID(t *testing.T, a *App, killed int) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	last := a.nodes[0].Supervisor
	for st := range last.Watch(ctx) {
		if !st.State.Serving() || st.PID == killed {
			continue
		}
		for ctx.Err() == nil && last.State().PID == st.PID {
			for _, h := range last.Health() {
				if h.Subject == "demo" && h.State == sdk.Healthy {
					return st.PID
				}
			}
			time.Sleep(time.Millisecond) // a change of health gives no signal here, and the kill needs no precision
		}
	}
	t.Fatalf("the node is %+v", last.State())
	return 0
}

// counter counts the steps by which runs make progress, without failures and retries.
type counter struct{ n atomic.Int64 }

func count(t *testing.T, a *App) *counter {
	c := &counter{}
	go func() {
		for step, err := range a.Engine.Watch(t.Context(), "", 0) {
			if err != nil {
				continue
			}
			switch step.Kind {
			case run.TraceRunStarted, run.TraceNodeSucceeded, run.TraceWaitAnswered, run.TraceRunFinished:
				c.n.Add(1)
			}
		}
	}()
	return c
}

// after waits for that many more steps, but at most three seconds.
func (c *counter) after(t *testing.T, steps int) {
	t.Helper()
	for want, end := c.n.Load()+int64(steps), time.Now().Add(3*time.Second); c.n.Load() < want && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}
