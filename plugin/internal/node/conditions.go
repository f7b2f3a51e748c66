package node

import (
	"sync"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/sdk"
)

// conditions grades the instances for the host: by their connection, and by whether they
// may write to new contacts.
type conditions struct {
	board *sdk.Board

	mu        sync.Mutex
	instances map[string]*condition // as many as the pool has
	closed    bool
}

type condition struct {
	status pool.Status
	known  bool          // the pool has reported
	pauses []store.Pause // the last to end first
	end    *time.Timer   // at the end of the pauses
}

func newConditions(board *sdk.Board, pauses []store.Pause) *conditions {
	c := &conditions{board: board, instances: map[string]*condition{}}
	of := map[string][]store.Pause{}
	for _, p := range pauses {
		of[p.Instance] = append(of[p.Instance], p)
	}
	for instance, list := range of {
		c.pause(instance, list)
	}
	return c
}

// connection is pool.Options.Notify.
func (c *conditions) connection(instance string, s pool.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.get(instance)
	i.status, i.known = s, true
	c.show(instance, i)
}

// pause takes the pauses of new contacts that are on, and forgets them when they end.
func (c *conditions) pause(instance string, pauses []store.Pause) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.get(instance)
	if i.end != nil {
		i.end.Stop()
		i.end = nil
	}
	i.pauses = pauses
	if len(pauses) > 0 && !c.closed {
		i.end = time.AfterFunc(time.Until(pauses[0].Until), func() { c.ended(instance, pauses[0]) })
	}
	c.show(instance, i)
}

func (c *conditions) ended(instance string, p store.Pause) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.instances[instance]; i != nil && len(i.pauses) > 0 && i.pauses[0] == p {
		i.pauses = nil
		c.show(instance, i)
	}
}

// paused is the pause that ends last; nil for none.
func (c *conditions) paused(instance string) *store.Pause {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.instances[instance]; i != nil && len(i.pauses) > 0 && time.Now().Before(i.pauses[0].Until) {
		return &i.pauses[0]
	}
	return nil
}

// remove is pool.Options.Removed.
func (c *conditions) remove(instance string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.instances[instance]; i != nil && i.end != nil {
		i.end.Stop()
	}
	delete(c.instances, instance)
	c.board.Remove(instance)
}

// close ends the timers.
func (c *conditions) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, i := range c.instances {
		if i.end != nil {
			i.end.Stop()
		}
	}
}

func (c *conditions) get(instance string) *condition {
	i := c.instances[instance]
	if i == nil {
		i = &condition{}
		c.instances[instance] = i
	}
	return i
}

func (c *conditions) show(instance string, i *condition) {
	if !i.known {
		return
	}
	h := health(instance, i.status)
	if h.State == sdk.Healthy && len(i.pauses) > 0 {
		h.State, h.Reason, h.Since = sdk.Degraded, codePaused, i.pauses[0].Since
		h.Message = pausedMessage(i.pauses[0]) + ", and whatsapp.instance.resumeNewContacts ends the pause"
	}
	c.board.Set(h)
}
