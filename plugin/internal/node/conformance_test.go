package node

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk/client"
	"github.com/tapnode/tapnode/sdk/nodetest"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// TestConformance proves every promise of the contract for the real binary, paired
// with accounts of a simulated WhatsApp. Ana taps the first button of every menu she
// sees, so a menu is one effect and, some time later, one event.
func TestConformance(t *testing.T) {
	t.Parallel()
	c := &conformance{accounts: map[string]*wasim.Account{}, sent: map[string]map[string]bool{}}
	c.world = newWorld(t, wasim.Options{OnFault: c.observe})
	c.shut() // the suite runs its own nodes
	ana := c.customer(anaNumber)
	tapping, stop := context.WithCancel(context.Background())
	var tapped sync.WaitGroup
	tapped.Go(func() { c.tap(tapping, ana) })
	defer tapped.Wait()
	defer stop()

	slow := menuTo(anaNumber)
	slow["delay"] = 60
	nodetest.Run(t, nodetest.Target{
		Binary:   binary(t),
		Settings: []byte(settingsFor(c.sim)),
		Prepare:  c.login,
		Samples: []nodetest.Sample{
			{Operation: "whatsapp.instance.list@1", Input: []byte(`{}`)},
			{Operation: send.OpText, Input: raw(t, obj{"instance": "shop", "number": anaNumber, "contentText": "Thank you!"})},
			{Operation: send.OpButtons, Input: raw(t, menuTo(anaNumber))},
		},
		Slow: &nodetest.Sample{Operation: send.OpButtons, Input: raw(t, slow)},
		Keyed: func(i int) nodetest.Sample {
			menu := menuTo(anaNumber)
			menu["contentText"] = fmt.Sprintf("Question %d", i)
			return nodetest.Sample{Operation: send.OpButtons, Input: raw(t, menu)}
		},
		Effects: c.effects,
		Trigger: &nodetest.Trigger{
			Operation: opButtonClick, Subjects: [2]string{"shop", "other"},
			EmitOn: func(t *testing.T, c *client.Client, subject string, i int) {
				t.Helper()
				menu := menuTo(anaNumber)
				menu["instance"], menu["contentText"] = subject, fmt.Sprintf("Question %d", i)
				if _, err := c.Execute(t.Context(), client.Request{Operation: send.OpButtons, Input: raw(t, menu), Key: fmt.Sprint("turns-", i)}, nil); err != nil {
					t.Fatal(err)
				}
			},
		},
	})
}

// conformance is a simulated WhatsApp that counts messages, and an account for each state
// directory.
type conformance struct {
	*world

	mu       sync.Mutex
	accounts map[string]*wasim.Account  // by state directory
	sent     map[string]map[string]bool // number → ids of the messages it sent
}

// observe is wasim.Options.OnFault: it notes each message before it is acknowledged.
func (c *conformance) observe(e wasim.FaultEvent) wasim.Fault {
	if toAna.Stage != e.Stage {
		return wasim.Fault{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sent[e.Account] == nil {
		c.sent[e.Account] = map[string]bool{}
	}
	c.sent[e.Account][e.MessageID] = true
	return wasim.Fault{}
}

// login is nodetest.Target.Prepare: a new state directory gets an account and is paired with it, an
// existing one goes online.
func (c *conformance) login(t *testing.T, node *client.Client, dir string) {
	w := &world{t: t, sim: c.sim, node: node}
	c.mu.Lock()
	known, n := c.accounts[dir] != nil, len(c.accounts)
	c.mu.Unlock()
	if known {
		for _, instance := range []string{"shop", "other"} {
			w.must(w.call("whatsapp.instance.connect@1", named{instance}, nil))
		}
		return
	}
	account := w.pair("shop", fmt.Sprintf("5511300%05d", n))
	w.pair("other", fmt.Sprintf("5511301%05d", n))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accounts[dir] = account
}

// effects is nodetest.Target.Effects: what WhatsApp accepted, by id.
func (c *conformance) effects(_ *testing.T, dir string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sent[c.accounts[dir].Phone()])
}

// tap presses a button of each menu once, as it appears.
func (c *conformance) tap(ctx context.Context, ana *wasim.Phone) {
	type menu struct {
		from types.JID
		id   types.MessageID
	}
	done := map[menu]bool{}
	for {
		m, err := ana.Wait(ctx, func(m wasim.Message) bool { return len(m.Buttons) > 0 && !done[menu{m.From, m.ID}] })
		if err != nil {
			return
		}
		done[menu{m.From, m.ID}] = true
		if _, err := ana.Click(ctx, m, m.Buttons[0].ID, wasim.ShapeInteractive); err != nil && ctx.Err() == nil {
			c.t.Errorf("Ana's tap: %v", err)
			return
		}
	}
}
