package node

import (
	"slices"

	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/sdk"
)

// lag tells a host how far a subscription lags behind what has happened. An instance is behind
// while it is away, or while the store has more of its events than its share of the window, until
// all of them have been given to the host.
type lag struct {
	pool      func() (away []string, changed <-chan struct{}) // pool.Pool's Away
	only      []string                                        // instances; empty: all
	bySubject bool                                            // the host wants reports for each instance
	feed      *outbox.Feed

	away  []string        // as of the last call of look
	moved <-chan struct{} // closed when away may have changed; nil: look has not run

	// said holds the instances that were reported as behind. The value is 0 while an instance is
	// behind. Otherwise it is the number of a read of the log: once the log was read through to the
	// beginning of that read, everything stored by the time the instance was no longer behind has
	// been given. whole is the same for the entire stream, until it has caught up once, which over
	// records.
	said  map[string]int
	whole int
	over  bool
}

// look asks the pool again if its answer may have changed.
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

// news returns the next report. It is called before each event.
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

// waits reports whether a report becomes due once the log has been read to its end.
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
