package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/sdk/client"
)

const (
	// leaseTime is how long a host may be silent before the others take over.
	leaseTime = 15 * time.Second
	// giveUp is how much earlier a host stops acting by itself.
	giveUp = 2 * time.Second
	// beatEvery is how often a host renews its lease: often enough that the timeouts of runs which wait for
	// an instance can be held back as soon as the instance's host is silent. See [Member.Behind].
	beatEvery = 300 * time.Millisecond
	// roundEvery is how often a host checks what the others do.
	roundEvery = time.Second
	// roundTime limits one such check, and one beat.
	roundTime = 4 * time.Second
	// unready is how long a node may be without a process before other hosts take its subjects.
	unready = 10 * time.Second
)

// Node is a node of this host.
type Node interface {
	Name() string
	// Process returns a value that identifies the running process and that no other process has. It is nil
	// while there is no process, or none whose subjects wait for Claim.
	Process() any
	// Subjects returns what the process looks after, as far as this host has been told.
	Subjects() []string
	Claim(ctx context.Context, subject string, epoch uint64) error
	// Read makes this host read the node's events, or leaves them to another host.
	Read(ctx context.Context, here bool)
}

// Execute runs a call that came from another host. [ErrNotOwner] means that this host does not own its
// subject.
type Execute func(ctx context.Context, r client.Request, progress func(client.Progress)) (client.Result, error)

// Options of a Member. All but Logger, Address and Unfit are required.
type Options struct {
	DB      *sqldb.DB // Postgres
	Dir     string    // the host's own directory, where it keeps its id
	Secret  []byte    // shared by all hosts of the database
	Version string
	Nodes   []Node
	Execute Execute
	// Unfit returns how many of the flow versions in use this host cannot run.
	Unfit func() int
	// Listen is where this host listens for other hosts; Address is the address that they call, if it is a
	// different one.
	Listen, Address string
	Logger          *slog.Logger
}

// Member is this host among those of its database. Make it with New, and call Start and Stop once each.
type Member struct {
	opt     Options
	table   table
	session string
	log     *slog.Logger
	peers   *peers

	quit context.CancelFunc
	done chan struct{}
	wake chan struct{}

	mu      sync.Mutex
	me      Host
	joined  bool
	begun   time.Time
	renewed time.Time               // when the last confirmed renewal began; monotonic
	ended   bool                    // another process uses our id
	seen    map[[2]string]time.Time // when each node of each host was last ready
	hosts   map[string]Host
	heard   map[string]heard
	heardAt time.Time
	steady  map[string]time.Time // since when each node has known all its subjects
	unrest  map[string]time.Time // of each node that does not, when that was first noticed
	leases  map[key]lease
	readAt  time.Time // when leases was read
	claims  map[key]claim
	reads   map[string]bool
}

// claim is what a process of a node has been told of a lease.
type claim struct {
	epoch   uint64
	process any
}

// New prepares a member; the other hosts do not see it before Start.
func New(opt Options) (*Member, error) {
	if opt.DB.Dialect() != "postgres" {
		return nil, errors.New("hosts share a Postgres database only")
	}
	if opt.Unfit == nil {
		opt.Unfit = func() int { return 0 }
	}
	id, err := identity(opt.Dir)
	if err != nil {
		return nil, err
	}
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	m := &Member{
		opt: opt, table: table{opt.DB}, session: rand.Text(), log: opt.Logger, done: make(chan struct{}), wake: make(chan struct{}, 1),
		me: Host{ID: id, Name: name, Version: opt.Version}, seen: map[[2]string]time.Time{}, hosts: map[string]Host{}, steady: map[string]time.Time{},
		unrest: map[string]time.Time{},
		leases: map[key]lease{}, claims: map[key]claim{}, reads: map[string]bool{}, quit: func() {},
	}
	if m.peers, err = newPeers(opt.Secret, m); err != nil {
		return nil, err
	}
	return m, nil
}

// ID returns the id by which the others know this host.
func (m *Member) ID() string { return m.me.ID }

// Start listens for the other hosts, announces this one, and takes its share of the subjects in the
// background until Stop.
func (m *Member) Start(ctx context.Context) error {
	address, err := m.peers.listen(ctx, m.opt.Listen, m.opt.Address)
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.me.Address = address
	m.mu.Unlock()
	began := time.Now()
	if err := m.table.join(ctx, m.me, m.session); err != nil {
		return fmt.Errorf("join the other hosts: %w", err)
	}
	m.mu.Lock()
	m.joined, m.renewed, m.begun = true, began, began
	m.mu.Unlock()
	m.beat(ctx)
	running, quit := context.WithCancel(context.WithoutCancel(ctx))
	m.quit = quit
	var loops sync.WaitGroup
	loops.Go(func() { m.beats(running) })
	loops.Go(func() { m.rounds(running) })
	go func() {
		loops.Wait()
		close(m.done)
	}()
	return nil
}

func (m *Member) rounds(ctx context.Context) {
	m.stir()
	tick := time.NewTicker(roundEvery)
	defer tick.Stop()
	told := false // this outage has been logged
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-m.wake:
		}
		err := m.round(ctx)
		if lost := err != nil && ctx.Err() == nil; lost != told {
			if told = lost; lost {
				m.log.Warn("the other hosts are out of sight; what is this host's goes to them soon", "err", sqldb.Reason(err))
			} else {
				m.log.Warn("the other hosts are in sight again")
			}
		}
	}
}

// stir makes the member start a round now.
func (m *Member) stir() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Drain makes this host take no more subjects, and lets the others take its own as soon as they ask.
func (m *Member) Drain(ctx context.Context) {
	m.mu.Lock()
	if !m.joined {
		m.mu.Unlock()
		return
	}
	m.me.Leaving = true
	me := m.me
	m.mu.Unlock()
	if _, err := m.table.beat(ctx, me, m.session); err != nil {
		m.log.Warn("the other hosts do not hear that this one leaves", "err", sqldb.Reason(err))
	}
}

// Stop ends the member, if it has started, and frees what it owned. The nodes have to be closed before.
func (m *Member) Stop(ctx context.Context) error {
	m.mu.Lock()
	joined := m.joined
	m.mu.Unlock()
	if !joined {
		return m.peers.stop(ctx)
	}
	m.quit()
	select {
	case <-m.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	return errors.Join(m.peers.stop(ctx), m.table.leave(ctx, m.me.ID, m.session))
}

// lives says whether this host may act as an owner: the others have not taken over, and will not for at
// least giveUp.
func (m *Member) lives() bool {
	return m.joined && !m.ended && time.Since(m.renewed) < leaseTime-giveUp
}

func (m *Member) alive() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lives()
}

// Hosts returns every host that was heard of in the last day.
func (m *Member) Hosts(ctx context.Context) ([]Host, error) { return m.table.hosts(ctx) }

// Move gives a subject of a node to the host with this id, or with this name if only one host has it.
// [ErrNobody]: there is no such subject; [ErrUnknown]: no such host can take it.
func (m *Member) Move(ctx context.Context, node, subject, host string) (Host, error) {
	hosts, err := m.table.hosts(ctx)
	if err != nil {
		return Host{}, err
	}
	can := slices.DeleteFunc(hosts, func(h Host) bool { return !h.fit(node) || h.ID != host && h.Name != host })
	if len(can) != 1 {
		return Host{}, fmt.Errorf("%w: %d hosts called %.80q can take it; see tapnode hosts", ErrUnknown, len(can), host)
	}
	if _, err := m.table.lease(ctx, key{node, subject}); errors.Is(err, sqldb.ErrNotFound) {
		return Host{}, ErrNobody
	}
	if err := m.table.move(ctx, key{node, subject}, can[0].ID); err != nil {
		return Host{}, err
	}
	m.stir()
	return can[0], nil
}

// identityName is the file in the data directory with the host's id. It lets a host that is back soon keep
// what it owned.
const identityName = "host.id"

// identity reads the host's id, and makes it the first time. A copied directory has the same id: the
// process that joins last is then that host, and the other one takes no part any more.
func identity(dir string) (string, error) {
	path := filepath.Join(dir, identityName)
	raw, err := os.ReadFile(path)
	if err == nil {
		id := strings.TrimSpace(string(raw))
		if id == "" || len(id) > 64 {
			return "", fmt.Errorf("%s is damaged: delete it, and the host is a new one", path)
		}
		return id, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the host's id: %w", err)
	}
	id := strings.ToLower(rand.Text()[:10])
	if err := os.WriteFile(path, []byte(id+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("the host's id: %w", err)
	}
	return id, nil
}
