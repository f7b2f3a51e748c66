package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Owner is who acts for a subject now.
type Owner struct {
	Here  bool
	Epoch uint64 // of the lease, if it is this host
	Host  Host   // if it is another one
}

// silence is how long an owner may be unheard of before it is not asked any more: it would not answer.
const silence = 3 * time.Second

var (
	// ErrNobody is a subject that no host knows, or that none has heard of yet.
	ErrNobody = errors.New("nobody owns it")
	// ErrAway is a subject whose owner is gone or not at work, or a host that does not know: another takes over soon.
	ErrAway = errors.New("its host is out of reach, and another takes over within seconds")
)

// Owner says who acts for a subject. anew asks the database, for a caller to whom the last answer was of no
// use. Errors: [ErrNobody], [ErrAway], and those of the database and of the node.
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

// host is a host that lives, also one that has come since the last round.
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

// claimed sees to it that the node's process knows that a subject is its own.
func (m *Member) claimed(ctx context.Context, n Node, l lease) error {
	process := n.Process()
	m.mu.Lock()
	done := m.claims[l.key()] == claim{l.epoch, process}
	m.mu.Unlock()
	if done || process == nil { // the call waits for a process, and brings the epoch along
		return nil
	}
	return m.claimOne(ctx, n, process, l)
}

// Adopt makes this host the owner of a subject that its node has and nobody owns, such as one that
// was just made.
func (m *Member) Adopt(ctx context.Context, node, subject string) error {
	if err := m.table.add(ctx, key{node, subject}, m.me.ID); err != nil {
		return err
	}
	_, err := m.Owner(ctx, node, subject, true)
	return err
}

// Fitter says whether a host is at work which fewer versions of flows do not fit. anew asks the database, since a
// host that has just come is in no round of this one yet; while it does not answer, there may be one.
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

// Read says whether a host that lives reads the events of a node, as far as this one knows.
func (m *Member) Read(node string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.leases[key{node, ""}]
	return ok && m.hosts[l.host].Lives
}
