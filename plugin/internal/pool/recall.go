package pool

import (
	"context"
	"encoding/json"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// told is a Trouble as the registry keeps it, so that it is still known after a
// restart of the process.
type told struct {
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Until   time.Time `json:"until,omitzero"`
}

// remember stores a state that lasts, and why. A database that fails is a line in the
// log: the state itself has been told.
func (i *Instance) remember(ctx context.Context, s State, t *Trouble) {
	var reason []byte
	if t != nil {
		reason, _ = json.Marshal(told{t.Code, t.Message, t.Until}) // strings and a time always encode
	}
	if err := i.pool.opts.Registry.SetState(ctx, i.name, string(s), string(reason)); err != nil {
		i.log.Error("the instance's state could not be stored", "error", err)
		return
	}
	i.remembers.Store(t != nil)
}

// forgive drops what was remembered, now that the instance has logged in.
func (i *Instance) forgive() {
	if !i.remembers.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
	defer cancel()
	i.remember(ctx, Connected, nil)
}

// recall is the status that an instance starts with: what was remembered of it, and
// otherwise what its pairing says.
func (i *Instance) recall(r registry.Instance) Status {
	s := Status{State: New, Since: r.StateAt}
	if i.cli.Load() != nil {
		s.State = Disconnected
	} else if r.JID != "" || r.State == string(LoggedOut) {
		s.State = LoggedOut
	}
	if s.Since.IsZero() {
		s.Since = time.Now()
	}
	var why told
	if json.Unmarshal([]byte(r.Reason), &why) == nil && why.Code != "" {
		s.State = State(r.State)
		s.Trouble = &Trouble{Code: why.Code, Message: why.Message, At: r.StateAt, Until: why.Until}
		i.remembers.Store(true)
	}
	return s
}
