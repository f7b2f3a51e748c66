package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

func (m *Memory) draft(flow string) Version {
	for _, v := range m.flows {
		if v.Flow == flow && v.State == Draft {
			return v
		}
	}
	return Version{}
}

func (m *Memory) putDraft(v Version) error {
	old := m.draft(v.Flow)
	same := m.flows[v.Digest]
	if same.State == Published && string(same.Source) == string(v.Source) {
		m.dropDraft(old)
		return nil
	}
	if v.Digest == "" || same.State != "" && same.State != Draft {
		v.Digest = DraftKey(v.Flow)
	}
	if old.Digest == "" {
		drafts := 0
		for _, o := range m.flows {
			if o.State == Draft {
				drafts++
			}
		}
		if drafts >= MaxDrafts {
			return fmt.Errorf("%d flows have drafts, which is the limit: %w", drafts, ErrFull)
		}
	}
	v.Name = cmp.Or(v.Name, old.Name)
	if old.Digest == v.Digest || !m.tried[old.Digest] {
		v.Number = old.Number
	}
	if old.Digest != v.Digest {
		m.dropDraft(old)
	}
	m.number(v)
	return nil
}

// dropDraft removes a draft, if there is one. A draft that runs have tried is kept for them as a
// Trial.
func (m *Memory) dropDraft(old Version) {
	if old.Digest == "" {
		return
	}
	delete(m.flows, old.Digest)
	if m.tried[old.Digest] {
		old.State = Trial
		m.flows[old.Digest] = old
	}
}

// Try implements Log.
func (m *Memory) Try(_ context.Context, v Version) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tried[v.Digest] = true
	if _, known := m.flows[v.Digest]; known {
		return nil
	}
	v.State = Trial
	if draft := m.draft(v.Flow); string(draft.Source) == string(v.Source) {
		delete(m.flows, draft.Digest)
		v.State, v.Number = Draft, draft.Number
	}
	m.number(v)
	return nil
}

// DropDraft implements Archive.
func (m *Memory) DropDraft(_ context.Context, flow string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.draft(flow)
	if old.Digest == "" {
		return ErrNotFound
	}
	m.dropDraft(old)
	return nil
}

// Flows implements Archive.
func (m *Memory) Flows(context.Context) (all []Version, waiting map[string]int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range m.flows {
		v.Source = nil
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b Version) int {
		return cmp.Or(strings.Compare(a.Flow, b.Flow), cmp.Compare(b.Number, a.Number))
	})
	waiting = map[string]int{}
	for _, r := range m.runs {
		if len(r.found.Waits) > 0 {
			waiting[r.digest]++
		}
	}
	return all, waiting, nil
}

// Counted implements Archive. A Memory keeps no figures: they are for hosts that live long.
func (m *Memory) Counted(context.Context, int64, int64, int, string, string) (Counted, error) {
	return Counted{}, nil
}
