package events

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// newID is random.
func newID() string { return rand.Text() }

// CheckURL says of the address of an instance's webhook why it can never be called.
func (s *Service) CheckURL(u *url.URL) error {
	if s.guard.CheckHost(u.Hostname()) != nil {
		return refuse(http.StatusBadRequest, "address_refused", "URL: "+refusedAddress)
	}
	return nil
}

// Put stores a webhook of an instance, in place of the one with its label, for the seed's API. The
// caller calls [Service.Changed] when the transaction is committed.
func (s *Service) Put(t *sqldb.Tx, instance string, settings Settings, enabled bool) error {
	there, err := s.store.of(t.Context(), t, instance)
	if err != nil {
		return err
	}
	for _, was := range there {
		if was.Label == settings.Label {
			now := *was
			now.Settings, now.Enabled, now.Reason = settings, enabled, ""
			return s.store.update(t, was, &now)
		}
	}
	return s.store.insert(t, &Webhook{Owner: instance, Settings: settings, Enabled: enabled})
}

// Of are the webhooks of an instance, as a transaction sees them.
func (s *Service) Of(ctx context.Context, q sqldb.Querier, instance string) ([]*Webhook, error) {
	return s.store.of(ctx, q, instance)
}

// Changed tells that webhooks of instances came or went with a transaction that is committed.
func (s *Service) Changed() { s.announce() }

// Forgot notes in a transaction that instances were removed, whose webhooks went with them.
func Forgot(t *sqldb.Tx) error { return changed(t) }
