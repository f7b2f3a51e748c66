package engine

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tapnode/tapnode/host/internal/flow"
)

// serving indexes the programs that new runs start with. It is immutable: a change replaces it.
type serving struct {
	programs []*flow.Program // by flow id
	byFlow   map[string]*flow.Program
	byType   map[string][]trigger // of events
	hooks    map[string][]Hook    // by path
	timed    []trigger            // with a schedule
}

// trigger is a trigger of a program that new runs start with.
type trigger struct {
	program *flow.Program
	flow.Trigger
}

// name is the name of the trigger, as in Event.For.
func (t trigger) name() string { return t.program.Flow().Metadata.ID + "/" + t.ID }

func newServing(programs map[string]*flow.Program) *serving {
	s := &serving{byFlow: programs, byType: map[string][]trigger{}, hooks: map[string][]Hook{}}
	for _, id := range slices.Sorted(maps.Keys(programs)) {
		p := programs[id]
		s.programs = append(s.programs, p)
		for _, t := range p.Flow().Triggers {
			t := trigger{p, t}
			for _, typ := range p.Events(t.ID) {
				s.byType[typ] = append(s.byType[typ], t)
			}
			if hook := p.Webhook(t.ID); hook != nil {
				s.hooks[hook.Path] = append(s.hooks[hook.Path], Hook{Webhook: hook, trigger: t})
			}
			if p.Schedule(t.ID) != nil {
				s.timed = append(s.timed, t)
			}
		}
	}
	for _, hooks := range s.hooks {
		slices.SortStableFunc(hooks, func(a, b Hook) int { return cmp.Compare(a.Method, b.Method) })
	}
	return s
}

// candidates are the triggers that may take an event.
func (s *serving) candidates(ev Event) []trigger {
	all := s.byType[ev.Type]
	if ev.For == "" {
		return all
	}
	i := slices.IndexFunc(all, func(t trigger) bool { return t.name() == ev.For })
	if i < 0 {
		return nil
	}
	return all[i : i+1]
}

// serve replaces the programs that new runs start with.
func (e *Engine) serve(programs map[string]*flow.Program) {
	e.served.Store(newServing(programs))
	select {
	case e.rescheduled <- struct{}{}:
	default: // a token is there already
	}
}

// Deployed lists the programs that new runs start with, by flow id.
func (e *Engine) Deployed() []*flow.Program { return slices.Clone(e.served.Load().programs) }
