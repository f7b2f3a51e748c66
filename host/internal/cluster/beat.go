package cluster

import (
	"context"
	"slices"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	// suspicious is how long an owner may be silent before its reports must be assumed to be late.
	suspicious = 800 * time.Millisecond
	// askedEvery is how old the last news of the hosts may be before the database is asked again.
	askedEvery = 200 * time.Millisecond
	// arriving is how long a new owner may need to take over. Until then its node does not report the
	// subject's state.
	arriving = 5 * time.Second
	// overdue is how long timeouts wait for a silent owner.
	overdue = 2 * time.Minute
	// calm is how long a node must have known all its subjects, with this host's beats getting through,
	// before the node counts as having reported the state of each subject to the other hosts.
	calm = 3 * time.Second
)

// beats renews this host's lease and announces which nodes work here, until ctx ends.
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

// beat renews the lease once. It returns false if another process uses this host's id.
func (m *Member) beat(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	now, me := time.Now(), m.report()
	ok, err := m.table.beat(ctx, me, m.session)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err != nil:
		m.log.Debug("this host could not report that it is alive", "err", sqldb.Reason(err))
	case !ok:
		m.ended = true
		return false
	default:
		m.renewed = now
	}
	return true
}

// report returns this host as it is announced to the others.
func (m *Member) report() Host {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.me.Nodes, m.me.steady, m.me.unfit = []string{}, []string{}, m.opt.Unfit()
	if time.Since(m.renewed) > suspicious { // the nodes' reports may not have got through either
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

// told says whether a process has been told of all its node's subjects that this host owns.
func (m *Member) told(node string, process any) bool {
	for k, l := range m.leases {
		if k.node == node && k.subject != "" && l.host == m.me.ID && m.claims[k] != (claim{l.epoch, process}) {
			return false
		}
	}
	return true
}

// remember still counts another host's node as ready for unready after its process has gone, so that the
// host keeps its subjects while the node restarts.
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

// Behind says whether something may have happened to a subject that its owner has not reported yet, because
// the owner is silent or has yet to take over. Whatever another host's node knows about the subject, this
// host's node reports, too.
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
		return true // no news of any host
	}
	silent := h.silent + since
	return silent < overdue && (silent > suspicious || !slices.Contains(h.steady, node))
}

// unsettled says whether a node of this host may not have reported the state of all its subjects yet. After
// a restart its process relies on what the previous one stored, until it is told which subjects it owns.
// unsettled does not wait for a node for longer than overdue.
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

// hear returns the last news of a host, and how old the news is; false means that the database does not
// answer. The database is also asked for a host without any news, which may have joined since.
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
		h.silent = overdue // the host is gone for good
	}
	return h, time.Since(m.heardAt), true
}
