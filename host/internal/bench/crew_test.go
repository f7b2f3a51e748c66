package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/plugin/wasim/bare"
)

// bareEnv makes the test binary a process of bare clients: its value is crewOptions as JSON.
const bareEnv = "TAPNODE_BENCH_BARE"

// crew is a fleet whose clients run in a process of their own, like those of a program that uses
// only whatsmeow. WhatsApp is then in another process, as it is for the node.
type crew struct {
	*fleet
	biz     []bare.Node  // the nodes of the menu's stanza
	process *crewProcess // nil: not started
}

// crewOptions are what a process of bare clients is started with.
type crewOptions struct {
	bare.Options
	Message []byte      // the menu; clients send copies of it
	Nodes   []bare.Node // of its stanza
}

// crewOrder is what the process is told to do: log all clients in, or send.
type crewOrder struct {
	Login   bool
	Errands []crewErrand
	AtOnce  int
}

// crewErrand is an errand as it is sent to the process: with phone numbers.
type crewErrand struct {
	From  string
	To    []string
	Greet bool
}

// crewReport is an answer to an order, or a click.
type crewReport struct {
	Click time.Time `json:",omitzero"` // when a click arrived; the report is then no answer
	Took  []float64 // of each message, in ms
	Whole time.Duration
	Error string
}

func (l *lab) crewArm(name, prefix string, m sample, file string) *crew {
	l.tb.Helper()
	c := &crew{fleet: l.bareArm(name, bare.Full, prefix, m, func(int) string { return file }), biz: filled(m.stanza.Node.GetChildrenByTag("biz"))}
	l.tb.Cleanup(func() { l.check(c.close()) })
	c.grow = func(n int) error {
		if n <= len(c.accounts) {
			return nil
		}
		return errors.Join(c.close(), c.pair(n), c.fleet.close(), c.launch(c.sync))
	}
	c.run = func(ctx context.Context, all []errand, atOnce int) ([]float64, time.Duration, error) {
		o := crewOrder{AtOnce: atOnce}
		for _, e := range all {
			words := crewErrand{From: c.accounts[e.from].Phone(), Greet: e.greet}
			for _, to := range e.to {
				words.To = append(words.To, to.Phone())
			}
			o.Errands = append(o.Errands, words)
		}
		r, err := c.process.ask(ctx, o)
		return r.Took, r.Whole, err
	}
	c.send = func(ctx context.Context, from int, to *wasim.Account) error {
		_, _, err := c.run(ctx, []errand{{from: from, to: []*wasim.Account{to}}}, 1)
		return err
	}
	return c
}

// filled gives nodes without content an empty list: whatsmeow cannot read the null that it writes as
// JSON itself.
func filled(nodes []bare.Node) []bare.Node {
	out := append([]bare.Node{}, nodes...) // not nil, which is null
	for i, n := range out {
		if children := n.GetChildren(); n.Content == nil || children != nil {
			out[i].Content = filled(children)
		}
	}
	return out
}

// launch starts the process and logs its clients in.
func (c *crew) launch(sync bare.Sync) error { return errors.Join(c.start(sync), c.login()) }

func (c *crew) login() error {
	_, err := c.process.ask(c.lab.ctx, crewOrder{Login: true})
	return err
}

func (c *crew) close() error {
	if c.process == nil {
		return nil
	}
	p := c.process
	c.process = nil
	return p.stop()
}

func (c *crew) start(sync bare.Sync) error {
	message, err := proto.Marshal(c.message)
	if err != nil {
		return err
	}
	options, err := json.Marshal(crewOptions{Options: c.options(c.file(0), sync), Message: message, Nodes: c.biz})
	if err != nil {
		return err
	}
	c.process, err = startCrew(string(options), func(at time.Time) { c.clicks <- at })
	return err
}

// crewProcess is a running process of a crew, as its parent sees it.
type crewProcess struct {
	cmd     *exec.Cmd
	orders  io.WriteCloser
	reports chan crewReport // answers; closed when the process ends
	read    sync.WaitGroup
}

func startCrew(options string, click func(at time.Time)) (*crewProcess, error) {
	p := &crewProcess{cmd: exec.Command(os.Args[0]), reports: make(chan crewReport, 1)} //nolint:gosec // this very test
	p.cmd.Env = append(os.Environ(), bareEnv+"="+options)
	p.cmd.Stderr = os.Stderr
	var err error
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("process of bare clients: %w", err)
	}
	p.read.Go(func() {
		defer close(p.reports)
		for in := json.NewDecoder(out); ; {
			var r crewReport
			switch err := in.Decode(&r); {
			case err != nil: // it has ended
				return
			case !r.Click.IsZero():
				click(r.Click)
			default:
				p.reports <- r // there is one for each order, so there is room
			}
		}
	})
	return p, nil
}

func (p *crewProcess) pid() int { return p.cmd.Process.Pid }

func (p *crewProcess) ask(ctx context.Context, o crewOrder) (r crewReport, err error) {
	if err := json.NewEncoder(p.orders).Encode(o); err != nil {
		return r, fmt.Errorf("process of bare clients: %w", err)
	}
	select {
	case r, ok := <-p.reports:
		if !ok {
			return r, errors.New("the process of bare clients has ended")
		}
		if r.Error != "" {
			err = errors.New(r.Error)
		}
		return r, err
	case <-ctx.Done():
		return r, ctx.Err()
	}
}

func (p *crewProcess) stop() error {
	err := p.orders.Close()
	p.read.Wait()
	return errors.Join(err, p.cmd.Wait())
}

// bareMain is the main function of that process. It does what its input says until the input ends.
func bareMain(raw string) int {
	ctx, cancel := context.WithTimeout(context.Background(), labTimeout)
	defer cancel()
	if err := crewMain(ctx, raw, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func crewMain(ctx context.Context, raw string, in io.Reader, w io.Writer) error {
	var o crewOptions
	if err := json.Unmarshal([]byte(raw), &o); err != nil {
		return err
	}
	store, err := bare.Open(ctx, o.Options)
	if err != nil {
		return err
	}
	defer store.Close()
	var writing sync.Mutex
	out := json.NewEncoder(w)
	report := func(r crewReport) {
		writing.Lock()
		defer writing.Unlock()
		_ = out.Encode(r) // if the reader is gone, the input ends too, and with it the process
	}
	clients := map[string]*crewman{} // by number
	defer func() {
		for _, c := range clients {
			c.Disconnect()
		}
	}()
	for orders := json.NewDecoder(in); ; {
		var order crewOrder
		if err := orders.Decode(&order); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		var r crewReport
		if order.Login {
			err = login(ctx, store, clients, o, func() { report(crewReport{Click: time.Now()}) })
		} else {
			r.Took, r.Whole, err = work(len(order.Errands), order.AtOnce, func(i int, done func()) error {
				return clients[order.Errands[i].From].errand(ctx, order.Errands[i], done)
			})
		}
		if err != nil {
			r.Error = err.Error()
		}
		report(r)
	}
}

func login(ctx context.Context, store *bare.Store, clients map[string]*crewman, o crewOptions, clicked func()) error {
	all, err := store.Clients(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		clients[c.Number()] = &crewman{Client: c, options: o, known: map[string]bare.JID{}}
		c.OnMessage(func(m *bare.Message) {
			if m.Message.GetInteractiveResponseMessage() != nil {
				clicked()
			}
		})
	}
	return together(0, len(all), func(i int) error { return all[i].Connect(ctx) })
}

// crewman is a client of the process.
type crewman struct {
	*bare.Client
	options crewOptions

	mu    sync.Mutex
	known map[string]bare.JID // the accounts it has looked up
}

func (c *crewman) errand(ctx context.Context, e crewErrand, done func()) error {
	for _, number := range e.To {
		to, err := c.find(ctx, number, e.Greet)
		if err != nil {
			return err
		}
		m, err := parsed((&bare.Message{}).Message, c.options.Message)
		if err != nil {
			return err
		}
		if _, err := c.Send(ctx, to, m, c.options.Nodes); err != nil {
			return err
		}
		done()
	}
	return nil
}

// find returns the account of a number. It looks it up once, or anew each time.
func (c *crewman) find(ctx context.Context, number string, anew bool) (bare.JID, error) {
	c.mu.Lock()
	to, ok := c.known[number]
	c.mu.Unlock()
	if ok && !anew {
		return to, nil
	}
	to, err := c.Find(ctx, number)
	if err == nil {
		c.mu.Lock()
		c.known[number] = to
		c.mu.Unlock()
	}
	return to, err
}

func parsed[M proto.Message](like M, raw []byte) (M, error) {
	m := like.ProtoReflect().New().Interface().(M)
	return m, proto.Unmarshal(raw, m)
}

// work does n errands, a number of them at a time. It returns how long each message took, as done
// reports it, and how long all of them took together.
func work(n, atOnce int, errand func(i int, done func()) error) (took []float64, whole time.Duration, err error) {
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(atOnce)
	began := time.Now()
	for i := range n {
		g.Go(func() error {
			last := time.Now()
			return errand(i, func() {
				now := time.Now()
				mu.Lock()
				took = append(took, ms(now.Sub(last)))
				mu.Unlock()
				last = now
			})
		})
	}
	err = g.Wait()
	return took, time.Since(began), err
}
