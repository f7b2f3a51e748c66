package engine

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// file records the data by which the run can be found.
func (r *memoryRun) file(b Batch) {
	f := &r.found
	if f.Run == "" {
		f.Run, f.Started = b.Run, b.Index.Started
		if f.Started.IsZero() {
			f.Started = time.Now()
		}
		f.Started = f.Started.Truncate(time.Millisecond).UTC()
	}
	r.digest = b.Digest
	f.Flow, f.Trial, f.Status, f.Error, f.Waits = b.Index.Flow, b.Index.Trial, b.Index.Status, b.Index.Error, b.Index.Waits
	switch {
	case !b.Over:
		f.Ended = time.Time{}
	case f.Ended.IsZero():
		f.Ended = time.Now().UTC()
	}
	f.About = AddSubjects(f.About, b.Index.Subjects)
}

// Runs implements Archive.
func (m *Memory) Runs(_ context.Context, q Query) (page Page, err error) {
	end, err := q.Check()
	if err != nil {
		return Page{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Found
	for _, r := range m.runs {
		f := m.shown(r)
		if f.At().Before(end) && q.Matches(f) {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b Found) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.Run, a.Run))
	})
	if len(all) > q.Limit {
		all = all[:q.Limit]
		page.Next = all[q.Limit-1].At().String()
	}
	page.Runs = all
	return page, nil
}

// Found implements Archive.
func (m *Memory) Found(_ context.Context, run string) (Found, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.runs[run]
	if !ok {
		return Found{}, ErrNotFound
	}
	return m.shown(r), nil
}

func (m *Memory) shown(r *memoryRun) Found {
	f := r.found
	f.Version = m.flows[r.digest].Number
	return f
}

// Waiting implements Archive.
func (m *Memory) Waiting(_ context.Context, flow, node string) (map[string]int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]int{}
	for _, r := range m.runs {
		if r.found.Flow == flow && slices.Contains(r.found.Waits, node) {
			out[r.digest]++
		}
	}
	return out, nil
}

// PutFlow implements Log. The engine bounds how many there are.
func (m *Memory) PutFlow(_ context.Context, v Version) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v.State == Draft {
		return m.putDraft(v)
	}
	v.State = Published
	if draft := m.draft(v.Flow); draft.Digest != v.Digest && string(draft.Source) == string(v.Source) {
		m.dropDraft(draft)
	}
	m.retire(v.Flow)
	m.told()
	m.number(v)
	return nil
}

// number keeps a version under the number that it has, or that its digest has, or a new one.
func (m *Memory) number(v Version) {
	if v.Number = cmp.Or(v.Number, m.flows[v.Digest].Number); v.Number == 0 {
		v.Number = 1
		for _, o := range m.flows {
			if o.Flow == v.Flow {
				v.Number = max(v.Number, o.Number+1)
			}
		}
	}
	v.Changed = time.Now().UTC()
	m.flows[v.Digest] = v
}

// retire retires the published version of a flow, and says whether there was one.
func (m *Memory) retire(flow string) bool {
	for digest, v := range m.flows {
		if v.Flow == flow && v.State == Published {
			v.State, v.Changed = Retired, time.Now().UTC()
			m.flows[digest] = v
			return true
		}
	}
	return false
}

func (m *Memory) told() {
	m.changes++
	close(m.changed)
	m.changed = make(chan struct{})
}

// Flow implements Log.
func (m *Memory) Flow(_ context.Context, digest string) (Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.flows[digest]
	if !ok {
		return Version{}, ErrNotFound
	}
	return v, nil
}

// Versions implements Archive.
func (m *Memory) Versions(_ context.Context, flow string) ([]Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Version
	for _, v := range m.flows {
		if v.Flow == flow {
			v.Source = nil
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b Version) int { return cmp.Compare(b.Number, a.Number) })
	return out, nil
}

// Published implements Archive.
func (m *Memory) Published(context.Context) (generation uint64, all []Version, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range m.flows {
		if v.State == Published {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b Version) int { return cmp.Compare(a.Flow, b.Flow) })
	return m.changes, all, nil
}

// Changed implements Archive.
func (m *Memory) Changed(ctx context.Context, generation uint64) error {
	for {
		m.mu.Lock()
		now, next := m.changes, m.changed
		m.mu.Unlock()
		if now != generation {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Retire implements Archive.
func (m *Memory) Retire(_ context.Context, flow string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.retire(flow) {
		return ErrNotFound
	}
	m.told()
	return nil
}
