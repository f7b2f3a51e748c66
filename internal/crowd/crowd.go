// Package crowd tells the users of a shared processor whether anyone else is using it. A user that
// is alone may have much work under way at once, which shares commits and costs least. When there
// are others, each of them would have to wait behind that work.
package crowd

import (
	"sync"
	"time"
)

// memory is how long another user is remembered: a user with little to do comes seldom, and must
// not have to wait each time behind one that counts as alone.
const memory = time.Hour

// Crowd records who has work. Its zero value has recorded nobody.
type Crowd struct {
	mu   sync.Mutex
	last string    // the user that came last
	met  time.Time // when that was another user than before
}

// Alone records that a user has work, and reports whether no other user had any in the last hour.
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
