package engine

import (
	"cmp"
	"context"
	"time"
)

// Listed is a flow: how it stands, by the version that starts runs, or else its draft, or else the newest.
type Listed struct {
	Version
	Newest    int    `json:"newest"` // the highest number of a version
	Published *Stand `json:"published,omitempty"`
	Draft     *Stand `json:"draft,omitempty"`
	Waiting   int    `json:"waiting"` // runs that wait

	retired bool // it has a retired version
}

// Stand is a version in a state since a time.
type Stand struct {
	Version int       `json:"version"`
	Changed time.Time `json:"changed"`
	By      string    `json:"by,omitempty"`
}

// Flows lists the flows that have a version in a state, by their ids; all for an empty state. Of retired
// ones, no version is published.
func (e *Engine) Flows(ctx context.Context, state VersionState) ([]Listed, error) {
	all, waiting, err := e.log.Flows(ctx)
	if err != nil {
		return nil, err
	}
	var out []Listed
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Flow == all[0].Flow {
			n++
		}
		l := listed(all[:n])
		all = all[n:]
		l.Waiting = waiting[l.Flow]
		l.hideKey()
		if l.is(state) {
			out = append(out, l)
		}
	}
	return out, nil
}

// listed is a flow by its versions, the newest first.
func listed(versions []Version) Listed {
	l := Listed{Newest: versions[0].Number}
	rank := map[VersionState]int{Published: 4, Draft: 3, Retired: 2, Trial: 1}
	for _, v := range versions {
		stand := &Stand{v.Number, v.Changed, v.By}
		switch v.State {
		case Published:
			l.Published = stand
		case Draft:
			l.Draft = stand
		case Retired:
			l.retired = true
		}
		if rank[v.State] > rank[l.State] {
			v.Name = cmp.Or(v.Name, l.Name)
			l.Version = v
		}
	}
	return l
}

// is says whether the flow belongs into a list. One that was only tried is in none.
func (l Listed) is(state VersionState) bool {
	switch state {
	case Published:
		return l.Published != nil
	case Draft:
		return l.Draft != nil
	case Retired:
		return l.retired && l.Published == nil
	}
	return l.State != Trial
}
