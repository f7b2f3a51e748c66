package seed

import (
	"context"
	"slices"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Websocket are the settings of an instance's sockets.
type Websocket struct {
	Enabled     bool     `json:"enabled"`
	Events      []string `json:"events"` // empty: all
	MediaBase64 bool     `json:"mediaBase64"`
}

// Wants reports whether the sockets get events of this name.
func (w Websocket) Wants(event string) bool {
	return w.Enabled && (len(w.Events) == 0 || slices.Contains(w.Events, event))
}

// Websocket returns the settings of an instance's sockets. If none were configured, the sockets get
// all events.
func (a *API) Websocket(ctx context.Context, instance string) (w Websocket, configured bool, err error) {
	all, err := outlets[Websocket](ctx, a.store.db, instance, websocketKind)
	if err != nil || len(all) == 0 {
		return Websocket{Enabled: true}, false, stored(err)
	}
	return all[0], true, nil
}

func (a *API) setWebsocket(ctx context.Context, r Request) (Answer, error) {
	var change struct {
		Enabled     *bool     `json:"enabled"`
		Events      *[]string `json:"events"`
		MediaBase64 *bool     `json:"mediaBase64"`
	}
	warnings, err := decode(r.Body, &change)
	if err != nil {
		return Answer{}, err
	}
	if err := a.Exists(ctx, r.Instance); err != nil {
		return Answer{}, err
	}
	var now Websocket
	err = a.store.db.Write(ctx, "store a websocket", func(t *sqldb.Tx) error {
		there, err := outlets[Websocket](t.Context(), t, r.Instance, websocketKind)
		if err != nil {
			return err
		}
		now = Websocket{Events: []string{}}
		if len(there) > 0 {
			now = there[0]
		}
		set(&now.Enabled, change.Enabled)
		set(&now.Events, change.Events)
		set(&now.MediaBase64, change.MediaBase64)
		if err := checkEvents(now.Events); err != nil {
			return err
		}
		return a.store.put(t, r.Instance, websocketKind, "", now)
	})
	if err != nil {
		return Answer{}, stored(err)
	}
	a.configured(r.Instance, now)
	return Answer{Message: "Websocket configured successfully", Members: map[string]any{"ok": true, "websocket": now}, Data: now, Warnings: warnings}, nil
}

// getWebsocket answers 200 even if nothing was configured, because a client would take a 404 to mean
// that the instance has no sockets.
func (a *API) getWebsocket(ctx context.Context, r Request) (Answer, error) {
	if err := a.Exists(ctx, r.Instance); err != nil {
		return Answer{}, err
	}
	w, configured, err := a.Websocket(ctx, r.Instance)
	if err != nil {
		return Answer{}, err
	}
	if !configured {
		return Answer{Message: "Websocket is not configured; it gets all events", Members: map[string]any{}}, nil
	}
	return Answer{Message: "Websocket found", Members: map[string]any{"websocket": w}, Data: w}, nil
}
