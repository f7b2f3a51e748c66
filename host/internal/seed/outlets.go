package seed

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	storeTime    = 15 * time.Second // for a write that the client's disconnect does not cancel
	defaultLabel = "default"
	maxText      = 4096 // bytes of a URL, an authorization, a label
	maxEvents    = 50
)

// webhook is a webhook exactly as the client set it, because clients compare.
type webhook struct {
	Label         string   `json:"label"`
	Enabled       bool     `json:"enabled"`
	URL           string   `json:"url"`
	Authorization string   `json:"authorization"`
	ByEvents      bool     `json:"byEvents"`
	Events        []string `json:"events"`
	MediaBase64   bool     `json:"mediaBase64"`
}

// webhookOf is a stored webhook in the client's form.
func webhookOf(w *events.Webhook) webhook {
	return webhook{w.Label, w.Enabled, w.URL, w.Authorization, w.ByEvents, w.Events, w.MediaBase64}
}

func (w webhook) settings() events.Settings {
	return events.Settings{Label: w.Label, URL: w.URL, Authorization: w.Authorization, ByEvents: w.ByEvents, Events: w.Events, MediaBase64: w.MediaBase64}
}

// webhookChange is a request to change a webhook. Members that it leaves out stay unchanged.
type webhookChange struct {
	Label         *string   `json:"label"`
	Enabled       *bool     `json:"enabled"`
	URL           *string   `json:"url"`
	Authorization *string   `json:"authorization"`
	ByEvents      *bool     `json:"byEvents"`
	Events        *[]string `json:"events"`
	MediaBase64   *bool     `json:"mediaBase64"`
}

func set[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}

// apply changes a webhook and checks the result. callable refuses an address that can never be
// called.
func (c webhookChange) apply(w *webhook, callable func(*url.URL) error) error {
	set(&w.Enabled, c.Enabled)
	set(&w.URL, c.URL)
	set(&w.Authorization, c.Authorization)
	set(&w.ByEvents, c.ByEvents)
	set(&w.Events, c.Events)
	set(&w.MediaBase64, c.MediaBase64)
	u, err := url.Parse(w.URL)
	switch {
	case w.Enabled && w.URL == "":
		return refuse(http.StatusBadRequest, "invalid_request", "URL is required")
	case w.URL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == ""):
		return refuse(http.StatusBadRequest, "invalid_request", "URL must begin with https:// or http:// and name a host")
	case len(w.URL) > maxText || len(w.Authorization) > maxText || len(w.Label) > maxText:
		return refuse(http.StatusBadRequest, "invalid_request", "URL, authorization and label have at most "+strconv.Itoa(maxText)+" bytes")
	}
	if w.Enabled {
		if err := callable(u); err != nil {
			return err
		}
	}
	return checkEvents(w.Events)
}

func checkEvents(events []string) error {
	if len(events) > maxEvents || slices.ContainsFunc(events, func(e string) bool { return len(e) > maxName }) {
		return refuse(http.StatusBadRequest, "invalid_request", "Events are at most "+strconv.Itoa(maxEvents)+" names of at most "+strconv.Itoa(maxName)+" bytes")
	}
	return nil
}

func (a *API) setWebhook(ctx context.Context, r Request) (Answer, error) {
	var change webhookChange
	warnings, err := decode(r.Body, &change)
	if err != nil {
		return Answer{}, err
	}
	if err := a.Exists(ctx, r.Instance); err != nil {
		return Answer{}, err
	}
	label := defaultLabel
	if change.Label != nil && *change.Label != "" {
		label = *change.Label
	}
	var hook webhook
	err = a.store.db.Write(ctx, "store a webhook", func(t *sqldb.Tx) error {
		there, err := a.hooks.Of(t.Context(), t, r.Instance)
		if err != nil {
			return err
		}
		hook = webhook{Label: label, Events: []string{}}
		enabled, labels := 0, 1
		for _, other := range there {
			switch {
			case other.Label == label:
				hook = webhookOf(other)
				continue
			case other.Enabled:
				enabled++
			}
			labels++
		}
		if err := change.apply(&hook, a.hooks.CheckURL); err != nil {
			return err
		}
		if hook.Enabled && enabled >= maxEnabled || labels > maxWebhooks {
			return refuse(http.StatusConflict, "too_many_webhooks", "An instance has at most "+strconv.Itoa(maxEnabled)+" enabled webhooks, and "+strconv.Itoa(maxWebhooks)+" in all")
		}
		if err := a.store.ensure(t, r.Instance); err != nil {
			return err
		}
		return a.hooks.Put(t, r.Instance, hook.settings(), hook.Enabled)
	})
	if err != nil {
		return Answer{}, stored(err)
	}
	a.hooks.Changed()
	return Answer{Message: "Webhook configured successfully", Members: map[string]any{"ok": true, "webhook": hook}, Data: hook, Warnings: warnings}, nil
}

// getWebhook answers with the webhook of a label. Without a label it answers with all webhooks, and
// with the default one in the member webhook.
func (a *API) getWebhook(ctx context.Context, r Request) (Answer, error) {
	if err := a.Exists(ctx, r.Instance); err != nil {
		return Answer{}, err
	}
	found, err := a.hooks.Of(ctx, a.store.db, r.Instance)
	if err != nil {
		return Answer{}, stored(err)
	}
	there := make([]webhook, len(found))
	for i, w := range found {
		there[i] = webhookOf(w)
	}
	label := r.Query.Get("label")
	wanted := label
	if label == "" {
		wanted = defaultLabel
	}
	members := map[string]any{}
	var data any
	if i := slices.IndexFunc(there, func(w webhook) bool { return w.Label == wanted }); i >= 0 {
		members["webhook"], data = there[i], there[i]
	} else if label != "" {
		return Answer{}, refuse(http.StatusNotFound, "not_found", "Webhook not found")
	}
	if label == "" {
		members["webhooks"], data = there, members
	}
	return Answer{Message: "Webhook found", Members: members, Data: data}, nil
}
