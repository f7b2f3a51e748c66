package flow

import (
	"sync"
	"time"
	_ "time/tzdata" // flows know every zone also where the system has no tables
)

// zones keeps what was read: there are about 600 names, and only those are kept.
var zones zoneTable

type zoneTable struct{ known sync.Map }

func (z *zoneTable) load(name string) (*time.Location, error) {
	if found, ok := z.known.Load(name); ok {
		return found.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	z.known.Store(name, zone)
	return zone, nil
}
