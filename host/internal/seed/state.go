package seed

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/sdk"
)

// state is the data of "instance.state". Some clients read state, which has names of its own; others
// read status, which has the same names as the list of instances.
type state struct {
	Instance    string    `json:"instance"`
	State       string    `json:"state"`
	Status      string    `json:"status"`
	Timestamp   time.Time `json:"timestamp"`
	JID         *string   `json:"jid"`
	NewContacts *pause    `json:"newContacts,omitempty"`
	LastError   *trouble  `json:"lastError,omitempty"`
}

// eventStates maps the node's states to the names that events use.
var eventStates = map[string]string{
	"new": "disconnected", "pairing": "qr_ready", "connecting": "connecting", "connected": "connected", "disconnected": "disconnected",
	"logged_out": "logged_out", "banned": "temp_banned", "replaced": "stream_replaced",
}

// troubles maps codes of errors to the states that events have for them.
var troubles = map[string]string{"client_outdated": "client_outdated", "keepalive": "keepalive_timeout"}

func (o owned) event(now time.Time) state {
	shown := o.shown("")
	s := state{Instance: o.Name, State: eventStates[o.State], Status: shown.Status, Timestamp: now, JID: shown.NumberJID, NewContacts: o.NewContacts, LastError: o.LastError}
	if o.LastError != nil && troubles[o.LastError.Code] != "" {
		s.State = troubles[o.LastError.Code]
	}
	return s
}

// askTime is how long the node may take to return the state of an instance.
const askTime = 15 * time.Second

// watch publishes the state of instances after their health has changed. Changes in quick succession
// may result in one event.
type watch struct {
	tell func(engine.Outgoing) error
	wake chan struct{}

	mu      sync.Mutex
	changed map[string]bool

	told map[string]string // the state published last, without its time; only the watching goroutine uses it
}

// Heard notes that the health of an instance has changed. It never blocks.
func (a *API) Heard(h sdk.Health) {
	w := &a.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if h.Subject == "" || len(w.changed) >= maxInstances {
		return
	}
	w.changed[h.Subject] = true
	select {
	case w.wake <- struct{}{}:
	default: // a token is there already
	}
}

// Start publishes the changes of the state of instances through tell, until Stop. After an error of
// tell, the state is published with the next change.
func (a *API) Start(tell func(engine.Outgoing) error) {
	a.watch.tell = tell
	a.pairings.wg.Go(func() {
		for {
			select {
			case <-a.pairings.ctx.Done():
				return
			case <-a.watch.wake:
			}
			for name := range a.watch.take() {
				a.look(a.pairings.ctx, name)
			}
		}
	})
}

func (w *watch) take() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.changed
	w.changed = map[string]bool{}
	return taken
}

// look reads the state of an instance and publishes it if it has changed. It ignores errors: a node
// that does not answer now reports the health of all its instances when it is back.
func (a *API) look(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	found, err := a.all(ctx, name)
	if err != nil {
		if isStatus(err, http.StatusNotFound) {
			delete(a.watch.told, name)
		}
		return
	}
	s := found[0].event(time.Time{})
	was, err := json.Marshal(s)
	if err != nil || a.watch.told[name] == string(was) {
		return
	}
	s.Timestamp = a.store.now().UTC()
	raw, err := json.Marshal(s)
	if err == nil {
		err = a.watch.tell(engine.Outgoing{ID: "state-" + rand.Text(), Type: "whatsapp.instance.state.v1", Instance: name, Time: s.Timestamp, Data: raw})
	}
	if err == nil && len(a.watch.told) < maxInstances {
		a.watch.told[name] = string(was)
	}
}
