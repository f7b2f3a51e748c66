package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/tapnode/tapnode/host/internal/cluster"
	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// Cluster configures this host as one of several that share a Postgres database.
type Cluster struct {
	DB      *sqldb.DB
	Secret  []byte // the same on all of them
	Version string
	// Listen is where the others call this host; Address is the address they use, if it differs.
	Listen, Address string
}

// Member returns this host as a member of the hosts on its database; nil if it is alone.
func (a *App) Member() *cluster.Member { return a.member }

// join prepares the membership if Options.Cluster is set.
func (a *App) join() (err error) {
	c := a.opt.Cluster
	if c == nil {
		return nil
	}
	opt := cluster.Options{DB: c.DB, Dir: a.opt.DataDir, Secret: c.Secret, Version: c.Version, Execute: a.asOwner, Unfit: func() int { return a.Engine.Unfit() }, Listen: c.Listen, Address: c.Address, Logger: a.log}
	for _, n := range a.nodes {
		opt.Nodes = append(opt.Nodes, leased{n})
	}
	a.member, err = cluster.New(opt)
	return err
}

// Hosts implements v1.Hosts: it returns the hosts of the database, or only this one.
func (a *App) Hosts(ctx context.Context) ([]cluster.Host, error) {
	if a.member != nil {
		return a.member.Hosts(ctx)
	}
	name, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	alone := cluster.Host{ID: "alone", Name: name, Version: sdk.Version, Nodes: []string{}, Owns: []string{}, Started: a.begun, Lives: true}
	for _, n := range a.nodes {
		alone.Nodes = append(alone.Nodes, n.manifest.Name)
		alone.Owns = append(alone.Owns, (leased{n}).Subjects()...)
	}
	return []cluster.Host{alone}, nil
}

// MoveInstance implements v1.Hosts.
func (a *App) MoveInstance(ctx context.Context, instance, host string) (cluster.Host, error) {
	if a.member == nil {
		return cluster.Host{}, fmt.Errorf("%w: this host shares its database with no other", cluster.ErrUnknown)
	}
	for _, n := range a.nodes {
		if (leased{n}).Process() == nil {
			continue
		}
		to, err := a.member.Move(ctx, n.manifest.Name, instance, host)
		if !errors.Is(err, cluster.ErrNobody) {
			return to, err
		}
	}
	return cluster.Host{}, fmt.Errorf("%w: no host has an instance of this name", cluster.ErrUnknown)
}

// leased is a node as a cluster.Node, whose subjects the hosts share.
type leased struct{ *node }

func (n leased) Name() string { return n.manifest.Name }

// Process returns nil also while the node does not share its subjects with other hosts.
func (n leased) Process() any {
	if process, shared := n.node.Process(); shared {
		n.shared.Store(true)
		return process
	}
	return nil
}

func (n leased) Subjects() []string {
	var all []string
	for _, h := range n.Health() {
		if h.Subject != "" && !h.Removed {
			all = append(all, h.Subject)
		}
	}
	return all
}

func (n leased) Claim(ctx context.Context, subject string, epoch uint64) error {
	c, err := n.Client(ctx)
	if err != nil {
		return err
	}
	return c.Claim(ctx, subject, epoch)
}

func (n leased) Read(ctx context.Context, here bool) { n.subscriptions.move(ctx, here) }

// move makes this host read the node's events, or leaves them to another host.
func (s *subscriptions) move(ctx context.Context, here bool) {
	s.mu.Lock()
	s.here = here
	open := s.open
	if !here {
		s.open = map[place]*subscription{}
	}
	s.mu.Unlock()
	if here {
		for at := range s.wanted() { // its state is unknown until it is read here
			s.lag.drop(at)
			s.expect(at)
		}
		s.follow(ctx)
		return
	}
	for _, sub := range open {
		sub.close()
	}
}

// readElsewhere reports whether timeouts are left to another host, because that host reads the
// node's events, or soon will, and so knows which events are on their way.
func (n *node) readElsewhere(m *cluster.Member) bool {
	if m == nil {
		return false
	}
	s := n.subscriptions
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.here {
		return false
	}
	if m.Read(n.manifest.Name) {
		s.readAt = time.Now()
	}
	return time.Since(s.readAt) < catchUp
}

// isShared reports whether the node's subjects are shared with other hosts, which is known once its
// first process has been ready. Until then isShared waits for a process, since it may be one that
// refuses a call without a lease.
func (n *node) isShared(ctx context.Context) (bool, error) {
	if (leased{n}).Process() != nil || n.shared.Load() {
		return true, nil
	}
	if _, err := n.Client(ctx); err != nil {
		return false, unavailable(err, true)
	}
	if process, _ := n.Process(); process == nil {
		return false, unavailable(errors.New("its process has just ended"), true)
	}
	return (leased{n}).Process() != nil, nil
}

// tries is how many times a call looks up the owner of its subject.
const tries = 3

// toOwner runs a call on the owner of its subject: here, under this host's lease, or on another
// host.
func (a *App) toOwner(ctx context.Context, n *node, r client.Request, progress func(client.Progress)) (client.Result, error) {
	subject := subjectOf(r.Input)
	if a.member == nil || subject == "" || r.DryRun {
		return n.execute(ctx, r, progress)
	}
	var result client.Result
	shared, err := n.isShared(ctx)
	if err != nil {
		return result, err
	}
	if !shared {
		return n.execute(ctx, r, progress)
	}
	for try := range tries {
		var owner cluster.Owner
		owner, err = a.member.Owner(ctx, n.manifest.Name, subject, try > 0)
		switch {
		case errors.Is(err, cluster.ErrNobody): // the subject does not exist, or this call creates it
			result, err = n.execute(ctx, r, progress)
			switch {
			case err == nil && slices.Contains((leased{n}).Subjects(), subject):
				if later := a.member.Adopt(ctx, n.manifest.Name, subject); later != nil { // the call has succeeded; the next round adopts the subject
					a.log.Debug("what was made has no owner yet", "err", later)
				}
			case moved(err): // the node knows the subject, and this database is older
				if lost := a.member.Adopt(ctx, n.manifest.Name, subject); lost != nil {
					return result, away(lost)
				}
				continue
			}
			return result, err
		case unclaimed(err):
			continue // the subject is gone, or has another epoch by now
		case err != nil:
			return result, away(err)
		case owner.Here:
			r.LeaseEpoch = owner.Epoch
			result, err = n.execute(ctx, r, progress)
		default:
			result, err = a.member.Call(ctx, owner.Host, r, progress)
		}
		if !moved(err) {
			return result, err
		}
	}
	return result, away(err)
}

// asOwner runs a call that another host sent here because it takes this host for the owner.
func (a *App) asOwner(ctx context.Context, r client.Request, progress func(client.Progress)) (client.Result, error) {
	n, ok := a.byOp[r.Operation]
	if !ok { // this host's nodes are older than those of the calling host
		return client.Result{}, unavailable(fmt.Errorf("on the host that has the instance: %w: %s", ErrUnknownOperation, r.Operation), true)
	}
	owner, err := a.member.Owner(ctx, n.manifest.Name, subjectOf(r.Input), true)
	switch {
	case errors.Is(err, cluster.ErrNobody) || err == nil && !owner.Here:
		return client.Result{}, cluster.ErrNotOwner
	case err != nil:
		return client.Result{}, away(err)
	}
	r.LeaseEpoch = owner.Epoch
	return n.execute(ctx, r, progress)
}

// moved reports whether a call failed, without an effect, because it was not sent to the current
// owner of its subject.
func moved(err error) bool {
	p, ok := errors.AsType[*sdk.Problem](err)
	return errors.Is(err, cluster.ErrNotOwner) || ok && p.Code == "stale_epoch" && p.Effect == sdk.EffectNone
}

// unclaimed reports whether the node refused a claim for a reason that the next lookup of the owner
// takes into account.
func unclaimed(err error) bool {
	p, ok := errors.AsType[*sdk.Problem](err)
	return ok && (p.Code == "not_found" || p.Code == "stale_epoch")
}

// away is the problem of a call whose subject has no acting host at the moment.
func away(err error) error {
	return &sdk.Problem{
		Code: "instance_away", HTTPStatus: http.StatusServiceUnavailable, Message: "the instance changes hosts: " + err.Error(),
		Effect: sdk.EffectNone, Retryable: true, RetryAfter: time.Second, Fault: sdk.FaultNode, Err: err,
	}
}

// subjectOf returns the subject that a call acts on: the member instance of its input, as for the
// lanes of the engine.
func subjectOf(input []byte) string {
	var in struct {
		Instance string `json:"instance"`
	}
	if json.Unmarshal(input, &in) != nil { // the node says what is wrong with the input
		return ""
	}
	return in.Instance
}
