package app

import (
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
)

const (
	chaosInstances = 20
	chaosPhones    = 20
)

// chaos is the faults on the way: they hit about one message in ten.
var chaos = []wasim.FaultRule{
	{Match: wasim.FaultMatch{Stage: wasim.StageMessage, Type: "text", Probability: 0.01, Seed: 1}, Action: wasim.Fault{DropAck: true}},
	{Match: wasim.FaultMatch{Stage: wasim.StageMessage, Type: "text", Probability: 0.02, Seed: 2}, Action: wasim.Fault{AckError: &wasim.AckError{Code: 479}}},
	{Match: wasim.FaultMatch{Stage: wasim.StageMessage, Probability: 0.02, Seed: 3}, Action: wasim.Fault{Duplicate: 1}},
	{Match: wasim.FaultMatch{Stage: wasim.StageMessage, Probability: 0.02, Seed: 4}, Action: wasim.Fault{Delay: wasim.FaultDuration(50 * time.Millisecond)}},
	{Match: wasim.FaultMatch{Stage: wasim.StageMessage, Probability: 0.005, Seed: 5}, Action: wasim.Fault{Disconnect: wasim.After}},
	{Match: wasim.FaultMatch{Stage: wasim.StageMessage, Probability: 0.005, Seed: 6}, Action: wasim.Fault{Disconnect: wasim.Before}},
	{Match: wasim.FaultMatch{Stage: wasim.StageDelivery, Probability: 0.02, Seed: 7}, Action: wasim.Fault{Duplicate: 1}},
}

// TestChaos sends from many instances and taps every message that arrives, while the node is
// killed, the server drops, duplicates, delays and refuses, and the database is locked from
// outside. In the end no tap is lost or counted twice, no phone shows a message twice, and the
// outcome of every send matches what its phone shows.
func TestChaos(t *testing.T) {
	t.Parallel()
	sends := scaled(1000, "TAPNODE_CHAOS_SENDS")
	got := &tally{seen: map[string]int{}}
	var dir string
	a, s := open(t, askAndAnswer, func(o *Options) {
		o.OnEvent = got.add
		impatient(t, o)
		dir = o.DataDir
	})
	start(t, a)
	c := &storm{t: t, a: a, s: s, random: rand.New(rand.NewPCG(uint64(sends), 7))}
	c.gather()
	for _, rule := range chaos {
		if raceEnabled && rule.Action.Disconnect != "" {
			// The customers' phones run whatsmeow in this process: two sends of one phone that wait
			// for a new connection set a flag of its exsync.Event at the same time. So only the
			// node's connections are cut.
			rule.Match.Type = wasim.FaultTypeButtons
		}
		if _, err := s.Server().AddFault(rule); err != nil {
			t.Fatal(err)
		}
	}
	calm := make(chan struct{})
	var trouble sync.WaitGroup
	trouble.Go(func() { c.kill(calm) })
	trouble.Go(func() { c.lock(calm, filepath.Join(dir, "nodes", "whatsapp-send-buttons", "store")) })

	began := time.Now()
	var work sync.WaitGroup
	for _, p := range c.phones {
		work.Go(func() { c.tap(p) })
	}
	outcomes := make([]outcome, sends)
	var senders sync.WaitGroup
	for i := range chaosInstances {
		senders.Go(func() {
			for n := i; n < sends; n += chaosInstances {
				outcomes[n] = c.send(n)
			}
		})
	}
	senders.Wait()
	close(calm)
	trouble.Wait()
	s.Server().ClearFaults()
	c.settle(outcomes)
	work.Wait()
	c.verify(outcomes, got)
	t.Logf("%d sends, %d taps, %d processes, %v", sends, c.taps.Load(), a.nodes[0].State().Starts, time.Since(began).Round(time.Second))
}

// impatient makes the node give up on a lost ack as soon as its settings allow, to bound the time
// of a thousand sends with lost acks.
func impatient(t *testing.T, o *Options) {
	t.Helper()
	var settings map[string]any
	if err := json.Unmarshal(o.Settings["whatsapp-send-buttons"], &settings); err != nil {
		t.Fatal(err)
	}
	settings["timeouts"] = map[string]any{"ack": 5, "send": 20}
	raw, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	o.Settings["whatsapp-send-buttons"] = raw
}

// tally counts events by tap: the id of the click message.
type tally struct {
	mu   sync.Mutex
	seen map[string]int // distinct event ids by tap
	ids  map[string]bool
}

func (y *tally) add(ev sdk.Event) {
	if ev.Type != "whatsapp.button.clicked.v1" {
		return
	}
	var data struct{ MessageID string }
	if json.Unmarshal(ev.Data, &data) != nil {
		return
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.ids == nil {
		y.ids = map[string]bool{}
	}
	if !y.ids[ev.ID] { // a second delivery carries the same id and is ignored
		y.ids[ev.ID] = true
		y.seen[data.MessageID]++
	}
}

func (y *tally) count(tap string) int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.seen[tap]
}
