package process

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/tapnode/tapnode/sdk"
)

const (
	maxSubjects   = 10000           // health subjects kept per node
	rewatchHealth = 5 * time.Second // between attempts to watch
)

// vitals hold what a node reports about its health, by subject, and how many liveness
// calls in a row it has not answered.
type vitals struct {
	mu       sync.Mutex
	subjects map[string]sdk.Health
	misses   int
}

func newVitals() *vitals { return &vitals{subjects: map[string]sdk.Health{}} }

func (v *vitals) put(h sdk.Health) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if h.Removed {
		delete(v.subjects, h.Subject)
		return
	}
	if _, known := v.subjects[h.Subject]; known || len(v.subjects) < maxSubjects {
		v.subjects[h.Subject] = h
	}
}

// answered records the outcome of a liveness call and returns how many were missed in
// a row.
func (v *vitals) answered(ok bool) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	if ok {
		v.misses = 0
	} else {
		v.misses++
	}
	return v.misses
}

// grade derives the state of the process from its vitals, and the reason for it.
func (v *vitals) grade() (State, string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.misses > 0 {
		return Unresponsive, fmt.Sprintf("it lives but has not answered %d liveness calls in a row", v.misses)
	}
	switch h := v.subjects[""]; h.State {
	case sdk.Degraded, sdk.Unhealthy:
		return Degraded, strings.TrimSpace(h.Reason + " " + h.Message)
	}
	return Ready, ""
}

// copy returns all subjects, the process first.
func (v *vitals) copy() []sdk.Health {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.SortedFunc(maps.Values(v.subjects), func(x, y sdk.Health) int { return strings.Compare(x.Subject, y.Subject) })
}

// watchHealth keeps the vitals up to date until the process ends.
func (s *session) watchHealth(changed func()) {
	for s.ctx.Err() == nil {
		err := s.client.WatchHealth(s.ctx, func(h sdk.Health) {
			s.health.put(h)
			if s.spec.OnHealth != nil {
				s.spec.OnHealth(h)
			}
			changed()
		})
		if status.Code(err) == codes.Unimplemented {
			return
		}
		select {
		case <-time.After(rewatchHealth):
		case <-s.ctx.Done():
		}
	}
}

// checkAlive makes liveness calls until the process ends, and kills it when it misses
// too many in a row: a process that runs but cannot be reached is as good as dead.
func (s *session) checkAlive(changed func()) {
	probe := grpc_health_v1.NewHealthClient(s.conn)
	tick := time.NewTicker(s.spec.HealthEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(s.ctx, s.spec.HealthTimeout)
		// go-plugin serves this name in every plugin and never changes its answer, so
		// only whether an answer comes tells anything.
		_, err := probe.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "plugin"})
		cancel()
		if s.ctx.Err() != nil {
			return
		}
		misses := s.health.answered(err == nil)
		changed()
		if misses >= s.spec.HealthMisses {
			s.fail(fmt.Sprintf("the node lives but did not answer %d liveness calls in a row, each given %v", misses, s.spec.HealthTimeout))
			return
		}
	}
}
