// Package crowd tells those who share a processor whether they have company. Who is alone may have much on its way at
// the same time, which shares commits and costs least; with others about, each of them has to find its way through that.
package crowd

import (
	"sync"
	"time"
)

// memory is how long company is remembered: who has little to do comes seldom, and shall not find a crowd of one.
const memory = time.Hour

// Crowd sees who has work. Its zero value has seen nobody.
type Crowd struct {
	mu   sync.Mutex
	last string    // who came last
	met  time.Time // when that was another one than before
}

// Alone notes that somebody has work, and reports whether nobody else had any in the last hour.
func (c *Crowd) Alone(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if name != c.last {
		if c.last != "" {
			c.met = now
		}
		c.last = name
	}
	return c.met.IsZero() || now.Sub(c.met) >= memory
}
