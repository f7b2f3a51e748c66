package node

import (
	"log/slog"
	"sync"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/sdk"

	"github.com/tapnode/tapnode/plugin/internal/send"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// conditions grades the instances for the host: by their connection, and by whether they may write
// to new contacts.
type conditions struct {
	board  *sdk.Board
	leased bool // other processes report the instances that they have claimed

	mu        sync.Mutex
	instances map[string]*condition // bounded by the pool's instances
	process   sdk.Health            // of the process, while its database works
}

type condition struct {
	status pool.Status
	known  bool            // the pool has reported
	pause  *registry.Pause // nil: the instance may write to new contacts
}

func newConditions(board *sdk.Board, leased bool) *conditions {
	return &conditions{board: board, leased: leased, instances: map[string]*condition{}, process: sdk.Health{State: sdk.Healthy}}
}

// simulated records that the process talks to a test server.
func (c *conditions) simulated() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.process = sdk.Health{State: sdk.Degraded, Reason: "simulated",
		Message: "this process talks to a test server, not to WhatsApp; remove server.url from the settings to change that"}
	c.board.Set(c.process)
}

// storage is the callback of sqldb.DB.Monitor.
func (c *conditions) storage(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		slog.Info("the database works again")
		c.board.Set(c.process)
		return
	}
	slog.Error("the database cannot be written", "error", err)
	c.board.Set(sdk.Health{State: sdk.Unhealthy, Reason: "storage",
		Message: "the node's database cannot be used: free disk space or mend it; nothing can be sent, and WhatsApp keeps what comes in"})
}

// connection is pool.Options.Notify.
func (c *conditions) connection(instance string, s pool.Status) {
	if c.leased && s.Trouble != nil && s.Trouble.Code == pool.CodeLeaseLost {
		c.remove(instance)
		return
	}
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
	if c.leased && h.Reason == pool.CodeUnclaimed {
		h.State = sdk.Starting
	}
	if h.State == sdk.Healthy && i.pause != nil {
		h.State, h.Reason, h.Since = sdk.Degraded, send.CodePaused, i.pause.Since
		h.Message = send.PausedMessage(*i.pause) + ", and whatsapp.instance.resumeNewContacts ends the pause"
	}
	c.board.Set(h)
}
