package cluster

import (
	"context"
	"slices"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	// suspicious is how long an owner may be silent before what it should tell may be late.
	suspicious = 800 * time.Millisecond
	// askedEvery is how old what was heard of the hosts may be.
	askedEvery = 200 * time.Millisecond
	// arriving is how long an owner may need to take over: until then its node does not say how the
	// subject is.
	arriving = 5 * time.Second
	// overdue is how long timeouts wait for an owner that is not heard of.
	overdue = 2 * time.Minute
	// calm is how long a node must have been told all that is its own, and this host have been heard of, for
	// the node to have told the others how each is.
	calm = 3 * time.Second
)

// beats says that this host lives, and what works here, until ctx ends.
func (m *Member) beats(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if !m.beat(ctx) {
			m.log.Error("another process works under this host's id; is its data directory a copy? This host takes no part any more: stop it, delete " + identityName + ", and start it again")
			return
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// beat is false when another process goes by this host's id.
func (m *Member) beat(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	now, me := time.Now(), m.report()
	ok, err := m.table.beat(ctx, me, m.session)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err != nil:
		m.log.Debug("this host is not heard", "err", sqldb.Reason(err))
	case !ok:
		m.ended = true
		return false
	default:
		m.renewed = now
	}
	return true
}

// report is this host as the others may know it.
func (m *Member) report() Host {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.me.Nodes, m.me.steady, m.me.unfit = []string{}, []string{}, m.opt.Unfit()
	if time.Since(m.renewed) > suspicious { // the nodes could not tell either
		clear(m.steady)
	}
	for _, n := range m.opt.Nodes {
		process := n.Process()
		if process == nil {
			delete(m.steady, n.Name())
			continue
		}
		m.me.Nodes = append(m.me.Nodes, n.Name())
		since, ok := m.steady[n.Name()]
		switch {
		case !m.told(n.Name(), process):
			delete(m.steady, n.Name())
		case !ok:
			m.steady[n.Name()] = time.Now()
		case time.Since(since) >= calm:
			m.me.steady = append(m.me.steady, n.Name())
			delete(m.unrest, n.Name())
		}
	}
	return m.me
}

// told says whether a process has been told all that is this host's.
func (m *Member) told(node string, process any) bool {
	for k, l := range m.leases {
		if k.node == node && k.subject != "" && l.host == m.me.ID && m.claims[k] != (claim{l.epoch, process}) {
			return false
		}
	}
	return true
}

// remember lets a host keep what is its own while one of its nodes starts again.
func (m *Member) remember(hosts []Host) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for i, h := range hosts {
		for _, n := range h.Nodes {
			m.seen[[2]string{h.ID, n}] = now
		}
		for _, n := range m.opt.Nodes {
			at := [2]string{h.ID, n.Name()}
			if m.seen[at].IsZero() && h.Lives {
				m.seen[at] = m.begun
			}
			if !slices.Contains(h.Nodes, n.Name()) && h.ID != m.me.ID && now.Sub(m.seen[at]) < unready {
				hosts[i].Nodes = append(hosts[i].Nodes, n.Name())
			}
		}
	}
	for at, seen := range m.seen {
		if now.Sub(seen) > forgotten {
			delete(m.seen, at)
		}
	}
}

// Behind says whether something may have happened to a subject that its owner has not told yet: because
// the owner is not heard of, or has yet to take over. What another host's node knows of it, this
// host's node says.
func (m *Member) Behind(ctx context.Context, node, subject string) bool {
	k := key{node, subject}
	m.mu.Lock()
	l, ok := m.leases[k]
	read := m.readAt
	m.mu.Unlock()
	switch {
	case !ok:
		return false
	case l.age+time.Since(read) < arriving:
		return true
	case l.host == m.me.ID:
		return m.unsettled(node)
	}
	h, since, ok := m.hear(ctx, l.host)
	if !ok {
		return true // nobody can be heard of
	}
	silent := h.silent + since
	return silent < overdue && (silent > suspicious || !slices.Contains(h.steady, node))
}

// unsettled says that a node of this host may not have told yet how all that is its own stands: its
// process has begun anew, and until it is told what is its own it believes what the one before has
// stored. One that does not come to it is not waited for beyond overdue.
func (m *Member) unsettled(node string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.opt.Nodes {
		if n.Name() != node {
			continue
		}
		process, now := n.Process(), time.Now()
		since, steady := m.steady[node]
		if process != nil && steady && m.told(node, process) && now.Sub(since) >= calm {
			delete(m.unrest, node)
			return false
		}
		if _, known := m.unrest[node]; !known {
			m.unrest[node] = now
		}
		return now.Sub(m.unrest[node]) < overdue
	}
	return false
}

// hear is what was heard of a host, and how long ago that is; false: it cannot be known. A host of which nothing was heard
// may have come since, and is asked for.
func (m *Member) hear(ctx context.Context, host string) (heard, time.Duration, bool) {
	m.mu.Lock()
	_, known := m.heard[host]
	fresh := known && time.Since(m.heardAt) < askedEvery
	m.mu.Unlock()
	if !fresh {
		ctx, cancel := context.WithTimeout(ctx, roundTime)
		defer cancel()
		began := time.Now()
		all, err := m.table.silence(ctx)
		if err != nil {
			return heard{}, 0, false
		}
		m.mu.Lock()
		m.heard, m.heardAt = all, began
		m.mu.Unlock()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	h, ok := m.heard[host]
	if !ok {
		h.silent = overdue // it is gone for good
	}
	return h, time.Since(m.heardAt), true
}
