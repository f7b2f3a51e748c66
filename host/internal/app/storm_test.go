package app

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // locks the node's database from outside

	"github.com/tapnode/tapnode/host/internal/sim"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// storm is one chaos test under way.
type storm struct {
	t      *testing.T
	a      *App
	s      *sim.Simulation
	random *rand.Rand
	phones []*wasim.Phone

	taps    atomic.Int64
	mu      sync.Mutex
	tapped  map[string]string // tap ids by the id of the tapped message
	arrived atomic.Bool       // no more messages will come
}

// outcome is how one send ended.
type outcome struct {
	text, number string
	id           string // of the message; empty if it was refused
	problem      *sdk.Problem
}

func (c *storm) gather() {
	c.tapped = map[string]string{}
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	for i := range chaosInstances {
		if err := c.s.Connect(ctx, c.a.Execute, instanceName(i)); err != nil {
			c.t.Fatal(err)
		}
	}
	for i := range chaosPhones {
		p, err := c.s.Server().NewPhone(ctx, phoneNumber(i))
		if err != nil {
			c.t.Fatal(err)
		}
		c.phones = append(c.phones, p)
	}
}

func instanceName(i int) string { return fmt.Sprintf("shop-%d", i) }
func phoneNumber(i int) string  { return fmt.Sprintf("55119888%05d", i) }

// send repeats one call under one key until its outcome is known.
func (c *storm) send(n int) outcome {
	o := outcome{text: fmt.Sprintf("message %d", n), number: phoneNumber((n / chaosInstances) % chaosPhones)}
	input, err := json.Marshal(map[string]any{
		"instance": instanceName(n % chaosInstances), "number": o.number, "contentText": o.text,
		"buttons": []map[string]string{{"id": "yes", "displayText": "Yes"}, {"id": "no", "displayText": "No"}},
	})
	if err != nil {
		c.t.Error(err)
		return o
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 4*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		r, err := c.a.Execute(ctx, client.Request{Operation: "whatsapp.sendButtons@1", Input: input, Key: fmt.Sprintf("send-%d", n), Correlation: o.text}, nil)
		if err == nil {
			var out struct{ MessageID string }
			if err := json.Unmarshal(r.Output, &out); err != nil {
				c.t.Error(err)
			}
			o.id = out.MessageID
			return o
		}
		p := asProblem(err).(*sdk.Problem) //nolint:errorlint // asProblem returns nothing else here
		if !p.Retryable && p.Effect == sdk.EffectNone && p.Code == "send_failed" {
			o.problem = p
			return o
		}
		if !p.Retryable && p.Effect == sdk.EffectNone {
			c.t.Errorf("send %d: %s: %v", n, p.Code, p)
			return o
		}
		time.Sleep(20 * time.Millisecond)
	}
	c.t.Errorf("send %d has no outcome after minutes", n)
	return o
}

// tap taps every message that comes to the phone, once.
func (c *storm) tap(p *wasim.Phone) {
	mine := map[string]bool{}
	for c.t.Context().Err() == nil {
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
		m, err := p.Wait(ctx, func(m wasim.Message) bool { return len(m.Buttons) > 0 && !mine[m.ID] })
		cancel()
		if err != nil {
			if c.arrived.Load() {
				return
			}
			continue
		}
		ctx, cancel = context.WithTimeout(c.t.Context(), 2*time.Minute)
		tap, err := p.Click(ctx, m, "yes", wasim.ShapeInteractive)
		cancel()
		if err != nil {
			continue // the phone's own send failed: the person taps again
		}
		mine[m.ID] = true
		c.taps.Add(1)
		c.mu.Lock()
		c.tapped[m.ID] = tap
		c.mu.Unlock()
	}
}

// kill kills the node every now and then until calm is closed.
func (c *storm) kill(calm <-chan struct{}) {
	for pid := 0; ; {
		select {
		case <-calm:
			return
		case <-time.After(time.Duration(500+c.random.IntN(1500)) * time.Millisecond):
		}
		if st := c.a.nodes[0].State(); st.State.Serving() && st.PID != pid {
			pid = st.PID
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				c.t.Log(err)
			}
		}
	}
}

// lock takes the write lock of the node's database now and then, as a backup would.
func (c *storm) lock(calm <-chan struct{}, dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil || len(files) != 1 {
		c.t.Errorf("the node's database: %v %v", files, err)
		return
	}
	db, err := sql.Open("sqlite", "file:"+files[0]+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	if err != nil {
		c.t.Error(err)
		return
	}
	defer db.Close()
	for {
		select {
		case <-calm:
			return
		case <-time.After(700 * time.Millisecond):
		}
		tx, err := db.BeginTx(c.t.Context(), nil)
		if err != nil {
			continue // the node holds the lock
		}
		time.Sleep(150 * time.Millisecond)
		_ = tx.Rollback()
	}
}

// settle waits until every message that was sent is on its phone and tapped.
func (c *storm) settle(outcomes []outcome) {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		missing := 0
		c.mu.Lock()
		for _, o := range outcomes {
			if o.id != "" && c.tapped[o.id] == "" {
				missing++
			}
		}
		c.mu.Unlock()
		if missing == 0 {
			break
		}
	}
	c.arrived.Store(true)
}

// verify compares the outcomes of the sends, what the phones show, and which taps came back as
// events.
func (c *storm) verify(outcomes []outcome, got *tally) {
	shown := map[string]map[string]int{} // how often, by text and message id
	for _, p := range c.phones {
		for _, m := range p.Inbox() {
			if shown[m.Text] == nil {
				shown[m.Text] = map[string]int{}
			}
			shown[m.Text][m.ID]++
		}
	}
	refused := 0
	for _, o := range outcomes {
		copies := shown[o.text]
		switch {
		case o.id == "":
			refused++
			if len(copies) != 0 {
				c.t.Errorf("%q was reported as refused (%v) and is on the phone", o.text, o.problem)
			}
		case len(copies) != 1 || copies[o.id] != 1:
			c.t.Errorf("%q was sent as %s; the phone shows %v", o.text, o.id, copies)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for message, tap := range c.tapped {
		for end := time.Now().Add(30 * time.Second); got.count(tap) == 0 && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		if n := got.count(tap); n != 1 {
			c.t.Errorf("tap %s on %s came back %d times", tap, message, n)
		}
	}
	c.t.Logf("%d refused", refused)
}
