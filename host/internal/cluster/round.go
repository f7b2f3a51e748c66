package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// claimsAtOnce limits the claims that run at the same time.
const claimsAtOnce = 16

// round reads what the other hosts do, takes this host's share of the subjects, and tells its nodes which
// subjects are theirs.
func (m *Member) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	if !m.alive() {
		m.tellReads(ctx)
		return ErrAway
	}
	hosts, err := m.table.hosts(ctx)
	if err != nil {
		return err
	}
	for _, k := range m.found() {
		if err := m.table.add(ctx, k, m.me.ID); err != nil {
			return err
		}
	}
	leases, err := m.table.leases(ctx)
	if err != nil {
		return err
	}
	m.remember(hosts)
	if take := share(m.me.ID, hosts, leases); len(take) > 0 {
		for _, l := range take {
			if err := m.table.take(ctx, l, m.me.ID); err != nil {
				return err
			}
		}
		if leases, err = m.table.leases(ctx); err != nil {
			return err
		}
	}
	m.know(hosts, leases)
	m.tellReads(ctx)
	return m.claim(ctx)
}

// found returns the subjects of this host's nodes that no host owns yet, as far as this host knows.
func (m *Member) found() (fresh []key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.opt.Nodes {
		if n.Process() == nil {
			continue
		}
		for _, subject := range append(n.Subjects(), "") {
			k := key{n.Name(), subject}
			if _, ok := m.leases[k]; !ok {
				fresh = append(fresh, k)
			}
		}
	}
	return fresh
}

// know keeps what a round has read, and forgets claims that are no longer current.
func (m *Member) know(hosts []Host, leases []lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hosts, m.leases, m.readAt = map[string]Host{}, map[key]lease{}, time.Now()
	for _, h := range hosts {
		m.hosts[h.ID] = h
	}
	for _, l := range leases {
		m.leases[l.key()] = l
	}
	for k, c := range m.claims {
		if l, ok := m.leases[k]; !ok || l.host != m.me.ID || l.epoch != c.epoch {
			delete(m.claims, k)
		}
	}
}

// tellReads tells a node whether this host reads its events, whenever that changes.
func (m *Member) tellReads(ctx context.Context) {
	for _, n := range m.opt.Nodes {
		m.mu.Lock()
		here := m.lives() && m.leases[key{n.Name(), ""}].host == m.me.ID
		changed := m.reads[n.Name()] != here
		m.reads[n.Name()] = here
		m.mu.Unlock()
		if changed {
			n.Read(ctx, here)
		}
	}
}

// claim tells the nodes which subjects are theirs, and drops subjects that no longer exist.
func (m *Member) claim(ctx context.Context) error {
	var wg sync.WaitGroup
	turns := make(chan struct{}, claimsAtOnce)
	for _, n := range m.opt.Nodes {
		process := n.Process()
		if process == nil {
			continue
		}
		there := map[string]bool{}
		for _, subject := range n.Subjects() {
			there[subject] = true
		}
		m.mu.Lock()
		var mine []lease
		for k, l := range m.leases {
			done := m.claims[k] == claim{l.epoch, process} && there[k.subject]
			if k.node == n.Name() && k.subject != "" && l.host == m.me.ID && !done {
				mine = append(mine, l)
			}
		}
		m.mu.Unlock()
		for _, l := range mine {
			turns <- struct{}{}
			wg.Go(func() {
				defer func() { <-turns }()
				_ = m.claimOne(ctx, n, process, l)
			})
		}
	}
	wg.Wait()
	return nil
}

// claimOne tells a node's process that it owns a subject.
func (m *Member) claimOne(ctx context.Context, n Node, process any, l lease) error {
	err := n.Claim(ctx, l.subject, l.epoch)
	p, _ := errors.AsType[*sdk.Problem](err)
	switch {
	case err == nil:
		m.mu.Lock()
		m.claims[l.key()] = claim{l.epoch, process}
		m.mu.Unlock()
		return nil
	case p != nil && p.Code == "not_found":
		m.mu.Lock()
		delete(m.leases, l.key())
		m.mu.Unlock()
		return errors.Join(err, m.table.drop(ctx, l))
	case p != nil && p.Code == "stale_epoch": // this database is older than the node's
		return errors.Join(err, m.table.take(ctx, l, m.me.ID))
	}
	if ctx.Err() == nil {
		m.log.Warn("a node does not take what is this host's", "node", n.Name(), "instance", l.subject, "err", err)
	}
	return err
}
