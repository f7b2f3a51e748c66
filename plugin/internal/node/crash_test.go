package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// Size of the crash test.
const (
	crashRounds = 8
	crashMenus  = 150
)

// crash is a host that forgets nothing and a customer who presses the first button of every menu
// she sees.
type crash struct {
	*world
	ana *wasim.Phone

	mu      sync.Mutex
	lethal  int            // the process is killed after this many answers
	sent    map[int]string // call → message id
	clicked map[string]bool
	events  map[string]string // event id → id of its message
	cursor  []byte
}

// TestKillLosesAndDoublesNothing kills the real binary at random moments of sends and clicks. In
// the end every call has one message, which Ana saw once, and every press by Ana has one event.
func TestKillLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	c := &crash{sent: map[int]string{}, clicked: map[string]bool{}, events: map[string]string{}}
	c.world = newWorld(t, wasim.Options{})
	c.ana = c.customer(anaNumber)
	c.pair("shop", shopNumber)
	c.shut() // from now on in its own process

	pressing, stop := context.WithCancel(context.Background())
	var pressed sync.WaitGroup
	pressed.Go(func() { c.press(pressing) })
	defer pressed.Wait()
	defer stop()

	for range crashRounds {
		c.work(c.child())
		c.mu.Lock()
		t.Logf("%d calls answered, %d presses, %d events", len(c.sent), len(c.clicked), len(c.events))
		c.mu.Unlock()
	}
	node := c.child()
	following, done := context.WithCancel(c.ctx())
	var followed sync.WaitGroup
	followed.Go(func() { c.follow(following, node.Client) })
	c.connect(node)
	c.send(node)
	defer func() {
		node.kill()
		if t.Failed() {
			t.Logf("%d stanzas wait for the shop; its log:\n%s", c.sim.Account(shopNumber).Linked()[0].Pending(), node.log)
		}
	}()
	deadline := c.ctx()
	for c.pending() && deadline.Err() == nil {
		time.Sleep(10 * time.Millisecond) // polls a condition; the deadline decides
	}
	done()
	followed.Wait()

	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sent) != crashMenus {
		t.Errorf("%d of %d calls have an answer", len(c.sent), crashMenus)
	}
	seen := map[string]int{}
	for _, m := range c.ana.Inbox() {
		seen[m.ID]++
	}
	for call, id := range c.sent {
		if seen[id] != 1 {
			t.Errorf("call %d: Ana sees its message %d times", call, seen[id])
		}
	}
	if len(seen) != crashMenus {
		t.Errorf("Ana sees %d messages for %d calls", len(seen), crashMenus)
	}
	told := map[string]int{}
	for _, message := range c.events {
		told[message]++
	}
	for click := range c.clicked {
		if told[click] != 1 {
			rec, _ := c.sim.Record(click)
			t.Errorf("press %s has %d events: %+v", click, told[click], rec)
		}
	}
	if len(told) != len(c.clicked) {
		t.Errorf("%d events for %d presses", len(told), len(c.clicked))
	}
}

func (c *crash) child() *child {
	node := startChild(c.t)
	c.must(node.Configure(c.ctx(), c.setup()))
	return node
}

// work sends and follows until the process dies.
func (c *crash) work(node *child) {
	ctx, cancel := context.WithCancel(c.ctx())
	var followed sync.WaitGroup
	followed.Go(func() { c.follow(ctx, node.Client) })
	c.connect(node)
	c.mu.Lock()
	c.lethal = len(c.sent) + 1 + rand.IntN(crashMenus/crashRounds)
	c.mu.Unlock()
	c.send(node)
	<-node.ended
	cancel()
	followed.Wait()
}

func (c *crash) connect(node *child) {
	_, err := node.Execute(c.ctx(), client.Request{Operation: "whatsapp.instance.connect@1", Input: raw(c.t, named{"shop"})}, nil)
	c.must(err)
}

// send makes the calls that have no answer yet, three at a time.
func (c *crash) send(node *child) {
	var wg sync.WaitGroup
	for worker := range 3 {
		wg.Go(func() {
			for n := worker; n < crashMenus; n += 3 {
				c.mu.Lock()
				_, answered := c.sent[n]
				c.mu.Unlock()
				if answered {
					continue
				}
				res, err := node.Execute(c.ctx(), client.Request{
					Operation: send.OpButtons, Input: raw(c.t, menuTo(anaNumber)), Key: fmt.Sprint("crash-", n), Correlation: fmt.Sprint(n),
				}, nil)
				if p, ok := errors.AsType[*sdk.Problem](err); ok && !p.Retryable && p.Code != "cancelled" {
					c.t.Errorf("call %d: %+v", n, p)
				}
				if err != nil {
					return
				}
				c.mu.Lock()
				c.sent[n] = outputOf(c.t, res).MessageID
				if len(c.sent) == c.lethal { // in the middle of the other calls, and of clicks
					time.AfterFunc(time.Duration(rand.IntN(5000))*time.Microsecond, node.kill)
				}
				c.mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// follow stores events, then acknowledges them.
func (c *crash) follow(ctx context.Context, node *client.Client) {
	c.mu.Lock()
	cursor := c.cursor
	c.mu.Unlock()
	sub, err := node.Subscribe(ctx, client.Start{Operation: opButtonClick, Subscriber: "crash", Cursor: cursor})
	if err != nil {
		return
	}
	for {
		e, err := sub.Recv()
		if err != nil {
			return
		}
		var click clicks.Clicked
		unmarshal(c.t, e.Data, &click)
		c.mu.Lock()
		c.events[e.ID], c.cursor = click.MessageID, e.Cursor
		c.mu.Unlock()
		if sub.Ack(e.Sequence) != nil {
			return
		}
	}
}

// press clicks each menu once, as it appears.
func (c *crash) press(ctx context.Context) {
	done := map[string]bool{}
	for {
		m, err := c.ana.Wait(ctx, func(m wasim.Message) bool { return !done[m.ID] })
		if err != nil {
			return
		}
		done[m.ID] = true
		click, err := c.ana.Click(ctx, m, "sales", "")
		if err != nil {
			c.t.Errorf("Ana's click: %v", err)
			return
		}
		c.mu.Lock()
		c.clicked[click] = true
		c.mu.Unlock()
	}
}

// pending reports whether presses or events are still outstanding.
func (c *crash) pending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.clicked) < crashMenus || len(c.events) < crashMenus
}
