package node

import (
	"sync"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/sdk"

	"github.com/tapnode/tapnode/plugin/internal/send"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// conditions grades the instances for the host: by their connection, and by whether they
// may write to new contacts.
type conditions struct {
	board *sdk.Board

	mu        sync.Mutex
	instances map[string]*condition // as many as the pool has
}

type condition struct {
	status pool.Status
	known  bool            // the pool has reported
	pause  *registry.Pause // nil: the instance may write to new contacts
}

func newConditions(board *sdk.Board) *conditions {
	return &conditions{board: board, instances: map[string]*condition{}}
}

// connection is pool.Options.Notify.
func (c *conditions) connection(instance string, s pool.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.get(instance)
	i.status, i.known = s, true
	c.show(instance, i)
}

// pause is send.PauseOptions.Changed.
func (c *conditions) pause(instance string, p *registry.Pause) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.get(instance)
	i.pause = p
	c.show(instance, i)
}

// remove forgets an instance that is gone.
func (c *conditions) remove(instance string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.instances, instance)
	c.board.Remove(instance)
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
	if h.State == sdk.Healthy && i.pause != nil {
		h.State, h.Reason, h.Since = sdk.Degraded, send.CodePaused, i.pause.Since
		h.Message = send.PausedMessage(*i.pause) + ", and whatsapp.instance.resumeNewContacts ends the pause"
	}
	c.board.Set(h)
}
