package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Owner is the host that acts for a subject now.
type Owner struct {
	Here  bool
	Epoch uint64 // of the lease, if it is this host
	Host  Host   // if it is another one
}

// silence is how long an owner may be silent before it is no longer called, since it would not answer.
const silence = 3 * time.Second

var (
	// ErrNobody means that no host owns the subject, or that none knows of it yet.
	ErrNobody = errors.New("nobody owns it")
	// ErrAway means that the subject's owner is gone or not at work, or that this host cannot tell: another
	// host takes over soon.
	ErrAway = errors.New("its host is out of reach, and another takes over within seconds")
)

// Owner returns the host that acts for a subject. anew asks the database, for a caller to which the last
// answer was of no use. Errors: [ErrNobody], [ErrAway], and those of the database and of the node.
func (m *Member) Owner(ctx context.Context, node, subject string, anew bool) (Owner, error) {
	k := key{node, subject}
	m.mu.Lock()
	l, known := m.leases[k]
	lives := m.lives()
	m.mu.Unlock()
	if !lives {
		return Owner{}, ErrAway
	}
	if anew || !known {
		var err error
		l, err = m.table.lease(ctx, k)
		if errors.Is(err, sqldb.ErrNotFound) {
			return Owner{}, ErrNobody
		}
		if err != nil {
			return Owner{}, fmt.Errorf("%w (%s)", ErrAway, sqldb.Reason(err))
		}
		m.mu.Lock()
		m.leases[k] = l
		m.mu.Unlock()
	}
	if l.host != m.me.ID {
		h, since, ok := m.hear(ctx, l.host)
		if !ok || h.silent+since > silence {
			return Owner{}, ErrAway
		}
		host, err := m.host(ctx, l.host)
		return Owner{Host: host}, err
	}
	for _, n := range m.opt.Nodes {
		if n.Name() == node {
			return Owner{Here: true, Epoch: l.epoch}, m.claimed(ctx, n, l)
		}
	}
	return Owner{}, ErrAway
}

// host returns a host by its id, even one that has joined since the last round.
func (m *Member) host(ctx context.Context, id string) (Host, error) {
	m.mu.Lock()
	host, known := m.hosts[id]
	m.mu.Unlock()
	if known {
		return host, nil
	}
	hosts, err := m.table.hosts(ctx)
	if err != nil {
		return Host{}, fmt.Errorf("%w (%s)", ErrAway, sqldb.Reason(err))
	}
	i := slices.IndexFunc(hosts, func(h Host) bool { return h.ID == id })
	if i < 0 {
		return Host{}, ErrAway
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hosts[id] = hosts[i]
	return hosts[i], nil
}

// claimed makes sure that the node's process knows that it owns a subject.
func (m *Member) claimed(ctx context.Context, n Node, l lease) error {
	process := n.Process()
	m.mu.Lock()
	done := m.claims[l.key()] == claim{l.epoch, process}
	m.mu.Unlock()
	if done || process == nil { // without a process, the call waits for one and brings the epoch along
		return nil
	}
	return m.claimOne(ctx, n, process, l)
}

// Adopt makes this host the owner of a subject that its node has and no host owns, such as one that was
// just created.
func (m *Member) Adopt(ctx context.Context, node, subject string) error {
	if err := m.table.add(ctx, key{node, subject}, m.me.ID); err != nil {
		return err
	}
	_, err := m.Owner(ctx, node, subject, true)
	return err
}

// Fitter says whether another host is at work that can run more of the flow versions in use. anew asks the
// database, since this host's last round does not include a host that has just joined. If the database
// does not answer, Fitter assumes that there is such a host.
func (m *Member) Fitter(ctx context.Context, node string, anew bool) bool {
	unfit := m.opt.Unfit()
	if unfit == 0 {
		return false
	}
	if anew {
		hosts, err := m.table.hosts(ctx)
		if err != nil {
			return true
		}
		return slices.ContainsFunc(hosts, func(h Host) bool { return m.fitter(h, node, unfit) })
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.hosts {
		if m.fitter(h, node, unfit) {
			return true
		}
	}
	return false
}

func (m *Member) fitter(h Host, node string, unfit int) bool {
	return h.ID != m.me.ID && h.unfit < unfit && h.fit(node)
}

// Read says whether a live host reads the events of a node, as far as this host knows.
func (m *Member) Read(node string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.leases[key{node, ""}]
	return ok && m.hosts[l.host].Lives
}
