package node

import (
	"slices"

	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/sdk"
)

// lag is what a host is told of how far a subscription is behind what has happened: an
// instance that is away, or of which the store has more than its share, is behind until
// everything of it has been given.
type lag struct {
	pool      func() (away []string, changed <-chan struct{}) // pool.Pool's Away
	only      []string                                        // instances; empty: all
	bySubject bool                                            // the host wants to know it of each
	feed      *outbox.Feed

	away  []string        // as of the last look
	moved <-chan struct{} // closed when that may be different; nil: nobody has looked

	// said are the instances that were said to be behind. 0: they are; else everything that was
	// stored when they were not any more has been given when the log was read through to the
	// beginning of this read. whole is the same for the stream, until that is over.
	said  map[string]int
	whole int
	over  bool
}

// look asks the pool when there may be something new.
func (l *lag) look() {
	if l.moved != nil {
		select {
		case <-l.moved:
		default:
			return
		}
	}
	l.away, l.moved = l.pool()
	if len(l.only) > 0 {
		l.away = slices.DeleteFunc(l.away, func(name string) bool { return !slices.Contains(l.only, name) })
	}
}

// news is what is to be said next. It is asked before each event.
func (l *lag) news() (sdk.Event, bool) {
	l.look()
	behind := append(l.feed.Aside(), l.away...)
	if l.bySubject {
		for _, name := range behind {
			_, said := l.said[name]
			if l.said[name] = 0; !said {
				return sdk.Event{Subject: name, Behind: true}, true
			}
		}
		for name, due := range l.said {
			switch {
			case slices.Contains(behind, name):
			case due == 0:
				l.said[name] = l.feed.Reads() + 1
			case l.feed.Through() >= due:
				delete(l.said, name)
				return sdk.Event{Subject: name, CaughtUp: true}, true
			}
		}
		behind = nil
	}
	switch {
	case l.over:
	case len(behind) > 0:
		l.whole = 0
	case l.whole == 0:
		l.whole = l.feed.Reads() + 1
	case l.feed.Through() >= l.whole:
		l.over, l.whole = true, 0
		return sdk.Event{CaughtUp: true}, true
	}
	return sdk.Event{}, false
}

// waits says whether something is to be said as soon as the log has been read to its end.
func (l *lag) waits() bool {
	if l.whole > 0 {
		return true
	}
	for _, due := range l.said {
		if due > 0 {
			return true
		}
	}
	return false
}
