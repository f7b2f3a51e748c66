package cluster

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// things is the data of a node that the processes on all hosts share: who claimed what last.
type things struct {
	mu     sync.Mutex
	epochs map[string]uint64
}

// process is a node of one host.
type process struct {
	*things
	id    any
	mu    sync.Mutex
	owns  map[string]uint64
	reads bool
}

func (p *process) Name() string { return "node" }
func (p *process) Process() any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.id
}

func (p *process) Subjects() []string {
	p.things.mu.Lock()
	defer p.things.mu.Unlock()
	return slices.Collect(maps.Keys(p.epochs))
}

func (p *process) Claim(_ context.Context, subject string, epoch uint64) error {
	p.things.mu.Lock()
	defer p.things.mu.Unlock()
	now, ok := p.epochs[subject]
	switch {
	case !ok:
		return &sdk.Problem{Code: "not_found", HTTPStatus: 404, Message: "it is gone", Effect: sdk.EffectNone}
	case now > epoch:
		return &sdk.Problem{Code: "stale_epoch", HTTPStatus: 409, Message: "it is another's", Effect: sdk.EffectNone}
	}
	p.epochs[subject] = epoch
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owns[subject] = epoch
	return nil
}

func (p *process) Read(_ context.Context, here bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reads = here
}

func (p *process) reading() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reads
}

// host is a member with its node.
type host struct {
	*Member
	node *process
	ran  chan client.Request
}

func join(t *testing.T, db *sqldb.DB, all *things, dir string) *host {
	t.Helper()
	h := &host{node: &process{things: all, id: new(int), owns: map[string]uint64{}}, ran: make(chan client.Request, 10)}
	m, err := New(Options{DB: db, Dir: dir, Secret: []byte("one secret of all hosts of a test"), Version: "1", Nodes: []Node{h.node}, Listen: "127.0.0.1:0",
		Logger: slog.New(slog.DiscardHandler),
		Execute: func(ctx context.Context, r client.Request, progress func(client.Progress)) (client.Result, error) {
			if r.Operation == "no owner" {
				return client.Result{}, ErrNotOwner
			}
			if r.Operation == "fails" {
				return client.Result{}, &sdk.Problem{Code: "no", HTTPStatus: 422, Message: "not like this", Effect: sdk.EffectNone, Fault: sdk.FaultCaller}
			}
			progress(client.Progress{Stage: "half"})
			h.ran <- r
			return client.Result{Output: sdk.JSON(`{"ok":true}`), Replayed: true}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	h.Member = m
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *host) leave(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	defer cancel()
	h.Drain(ctx)
	if err := h.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// owners counts whose each subject is, and fails for one that two hosts own with the present epoch.
func (all *things) owners(t *testing.T, hosts ...*host) map[*host]int {
	t.Helper()
	all.mu.Lock()
	defer all.mu.Unlock()
	count := map[*host]int{}
	for subject, epoch := range all.epochs {
		owners := 0
		for _, h := range hosts {
			h.node.mu.Lock()
			if h.node.owns[subject] == epoch && epoch > 0 {
				owners++
				count[h]++
			}
			h.node.mu.Unlock()
		}
		if owners > 1 {
			t.Errorf("%s has %d owners under epoch %d", subject, owners, epoch)
		}
	}
	return count
}

func until(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ready(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not come to that: %s", what)
		}
	}
}

func database(t *testing.T) (*sqldb.DB, func() *sqldb.DB) {
	dsn := sqldbtest.Postgres(t)
	open := func() *sqldb.DB {
		log, err := sqllog.Open(t.Context(), sqllog.Options{Postgres: dsn})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = log.Close() })
		return log.DB()
	}
	return open(), open
}

// TestHostsShare: hosts that come, leave in order, and die share what their nodes have, with one owner
// of each and one reader of events; and a subject that is new or deleted is known to all.
func TestHostsShare(t *testing.T) {
	t.Parallel()
	db, open := database(t)
	all := &things{epochs: map[string]uint64{"a": 0, "b": 0, "c": 0, "d": 0, "e": 0, "f": 0}}
	one := join(t, db, all, t.TempDir())
	until(t, "the first host owns all", func() bool { return all.owners(t, one)[one] == 6 && one.node.reading() })

	if _, err := db.SQL().ExecContext(t.Context(), `UPDATE engine_owners SET since = 0`); err != nil { // a while later
		t.Fatal(err)
	}
	second := open()
	two := join(t, second, all, t.TempDir())
	until(t, "they share", func() bool { n := all.owners(t, one, two); return n[one] == 3 && n[two] == 3 })
	if two.node.reading() || !one.node.reading() {
		t.Error("the events are not read by the first host alone")
	}
	hosts, err := two.Hosts(t.Context())
	if err != nil || len(hosts) != 2 || len(hosts[0].Owns)+len(hosts[1].Owns) != 6 || !hosts[0].Lives || !hosts[1].Lives {
		t.Errorf("hosts: %+v, %v", hosts, err)
	}

	all.mu.Lock()
	delete(all.epochs, "a")
	all.epochs["new"] = 0
	all.mu.Unlock()
	until(t, "the new one has an owner, the deleted one none", func() bool {
		_, gone := one.Owner(t.Context(), "node", "a", true)
		n := all.owners(t, one, two)
		return errors.Is(gone, ErrNobody) && n[one]+n[two] == 6
	})

	one.leave(t)
	until(t, "who leaves in order is followed at once", func() bool { return all.owners(t, two)[two] == 6 && two.node.reading() })

	three := join(t, db, all, t.TempDir())
	_ = second.Close() // the second is cut from the database, and does not know when it is back
	until(t, "who is cut off is followed", func() bool { return all.owners(t, three)[three] == 6 && three.node.reading() })
	if _, err := two.Owner(t.Context(), "node", "b", false); !errors.Is(err, ErrAway) || two.node.reading() {
		t.Errorf("who is cut off still acts: %v, reads %v", err, two.node.reading())
	}
	three.leave(t)
}

// TestMove: an instance goes where somebody wants it, by the host's id.
func TestMove(t *testing.T) {
	t.Parallel()
	db, _ := database(t)
	all := &things{epochs: map[string]uint64{"shop": 0}}
	one := join(t, db, all, t.TempDir())
	defer one.leave(t)
	until(t, "it is owned", func() bool { return all.owners(t, one)[one] == 1 })
	two := join(t, db, all, t.TempDir())
	defer two.leave(t)
	if to, err := one.Move(t.Context(), "node", "shop", two.ID()); err != nil || to.ID != two.ID() {
		t.Fatal(to, err)
	}
	// Also before the next round of this host, in which it would have heard of the other.
	if owner, err := one.Owner(t.Context(), "node", "shop", true); err != nil || owner.Here || owner.Host.ID != two.ID() {
		t.Errorf("at once: owner = %+v, %v", owner, err)
	}
	until(t, "it has moved", func() bool { return all.owners(t, one, two)[two] == 1 })
	owner, err := one.Owner(t.Context(), "node", "shop", true)
	if err != nil || owner.Here || owner.Host.ID != two.ID() {
		t.Errorf("owner = %+v, %v", owner, err)
	}
	if _, err := one.Move(t.Context(), "node", "nothing", two.ID()); !errors.Is(err, ErrNobody) {
		t.Error(err)
	}
	if _, err := one.Move(t.Context(), "node", "shop", "nowhere"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// TestBehindAfterRestart: until a new process of this host's own node is told what is its own, and has had
// the time to say how that stands, timeouts wait.
func TestBehindAfterRestart(t *testing.T) {
	t.Parallel()
	db, _ := database(t)
	all := &things{epochs: map[string]uint64{"shop": 0}}
	h := join(t, db, all, t.TempDir())
	defer h.leave(t)
	behind := func() bool { return h.Behind(t.Context(), "node", "shop") }
	until(t, "it is owned, and settled", func() bool { return all.owners(t, h)[h] == 1 && !behind() })
	for range 2 {
		h.node.mu.Lock()
		h.node.id, h.node.owns = new(int), map[string]uint64{}
		h.node.mu.Unlock()
		if !behind() {
			t.Fatal("a process that was told nothing is believed")
		}
		until(t, "the new process is settled", func() bool {
			settled := !behind()
			if settled && all.owners(t, h)[h] != 1 {
				t.Fatal("settled before it was told")
			}
			return settled
		})
	}
	h.node.mu.Lock()
	h.node.id = nil // it is down
	h.node.mu.Unlock()
	if !behind() {
		t.Error("a node that is down is not waited for")
	}
	h.mu.Lock()
	h.unrest["node"] = time.Now().Add(-overdue)
	h.mu.Unlock()
	if behind() {
		t.Error("a node that stays down is waited for without end")
	}
}

// TestCalls: a call runs on the other host with its outcome, progress and refusals; who has not the
// secret of the database is not let in, nor believed.
func TestCalls(t *testing.T) {
	t.Parallel()
	db, _ := database(t)
	all := &things{epochs: map[string]uint64{}}
	one, two := join(t, db, all, t.TempDir()), join(t, db, all, t.TempDir())
	defer one.leave(t)
	defer two.leave(t)
	var to Host
	until(t, "they see each other", func() bool {
		hosts, err := one.Hosts(t.Context())
		for _, h := range hosts {
			if h.ID == two.ID() {
				to = h
			}
		}
		return err == nil && to.Address != ""
	})
	var stages []string
	r, err := one.Call(t.Context(), to, client.Request{Operation: "op", Input: []byte(`{"x":1}`), Key: "k", Correlation: "c"}, func(p client.Progress) { stages = append(stages, p.Stage) })
	if err != nil || string(r.Output) != `{"ok":true}` || !r.Replayed || !slices.Equal(stages, []string{"half"}) {
		t.Errorf("%+v, %v, %v", r, err, stages)
	}
	if got := <-two.ran; got.Key != "k" || got.Correlation != "c" || string(got.Input) != `{"x":1}` {
		t.Errorf("%+v", got)
	}
	if _, err := one.Call(t.Context(), to, client.Request{Operation: "no owner"}, nil); !errors.Is(err, ErrNotOwner) {
		t.Error(err)
	}
	if p, ok := errors.AsType[*sdk.Problem](func() error { _, err := one.Call(t.Context(), to, client.Request{Operation: "fails"}, nil); return err }()); !ok || p.Code != "no" || p.HTTPStatus != 422 {
		t.Errorf("%+v", p)
	}
	stranger, err := newPeers([]byte("another secret"), one.Member)
	if err != nil {
		t.Fatal(err)
	}
	known := one.peers
	one.peers = stranger
	_, err = one.Call(t.Context(), to, client.Request{Operation: "op"}, nil)
	one.peers = known
	if err == nil || len(two.ran) > 0 {
		t.Error("a stranger was let in")
	}
	if p, ok := errors.AsType[*sdk.Problem](func() error {
		_, err := one.Call(t.Context(), Host{Address: "127.0.0.1:1"}, client.Request{Operation: "op"}, nil)
		return err
	}()); !ok || p.Effect != sdk.EffectNone || !p.Retryable {
		t.Errorf("a host that is not there: %+v", p)
	}
}

// TestCopiedHost: of two processes under one id the later one is the host, and the other gives up.
func TestCopiedHost(t *testing.T) {
	t.Parallel()
	db, _ := database(t)
	all := &things{epochs: map[string]uint64{"shop": 0}}
	dir := t.TempDir()
	one := join(t, db, all, dir)
	until(t, "it is owned", func() bool { return all.owners(t, one)[one] == 1 })
	two := join(t, db, all, dir)
	defer two.leave(t)
	until(t, "the first gives up", func() bool {
		_, err := one.Owner(t.Context(), "node", "shop", false)
		return errors.Is(err, ErrAway)
	})
	if _, err := two.Owner(t.Context(), "node", "shop", false); err != nil {
		t.Error(err)
	}
	one.leave(t)
	if hosts, err := two.Hosts(t.Context()); err != nil || len(hosts) != 1 || !hosts[0].Lives {
		t.Errorf("%+v, %v", hosts, err)
	}
}

// TestStopBeforeStart: a host that did not come up leaves nothing and waits for nobody.
func TestStopBeforeStart(t *testing.T) {
	t.Parallel()
	db, _ := database(t)
	m, err := New(Options{DB: db, Dir: t.TempDir(), Secret: []byte("one secret of all hosts of a test"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	m.Drain(t.Context())
	if err := m.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if hosts, err := m.Hosts(t.Context()); err != nil || len(hosts) != 0 {
		t.Errorf("%+v, %v", hosts, err)
	}
}
