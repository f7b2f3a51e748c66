package v1

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/events"
)

// webhook is a webhook as callers see it.
type webhook struct {
	ID        string          `json:"id"`
	Owner     string          `json:"owner,omitempty" doc:"The instance for which POST /api/events/webhook/{instance} set it. It changes there only."`
	Label     string          `json:"label"`
	URL       string          `json:"url"`
	Form      string          `json:"form" enum:"cloudevents,seed"`
	Events    []string        `json:"events" nullable:"false" doc:"Types, or names of the seed; none is all."`
	Instances []string        `json:"instances" nullable:"false" doc:"None is all."`
	Unordered bool            `json:"unordered" doc:"An event that fails holds up no other of its instance."`
	Parallel  int             `json:"parallel" doc:"Calls at the same time."`
	Token     bool            `json:"token" doc:"The instance's token is told, in the seed's form."`
	Enabled   bool            `json:"enabled"`
	Reason    string          `json:"reason,omitempty" doc:"Why the host disabled it."`
	CreatedAt time.Time       `json:"createdAt"`
	Lost      int64           `json:"lost" doc:"Events and dead letters that were removed over a limit."`
	Waiting   *int            `json:"waiting,omitempty" doc:"Of one webhook: events that failed and wait for their turn, and those behind them."`
	Dead      *int            `json:"deadLetters,omitempty" doc:"Of one webhook: events that are not tried any more."`
	Last      *events.Attempt `json:"last,omitempty" doc:"Of one webhook: the newest attempt."`
}

func shownHook(w *events.Webhook) webhook {
	return webhook{ID: w.ID, Owner: w.Owner, Label: w.Label, URL: w.URL, Form: w.Form, Events: orNone(w.Events), Instances: orNone(w.Instances),
		Unordered: w.Unordered, Parallel: w.Parallel, Token: w.Token, Enabled: w.Enabled, Reason: w.Reason, CreatedAt: w.Created, Lost: w.Lost}
}

// webhookSettings are the settings that callers can change.
type webhookSettings struct {
	_         struct{} `additionalProperties:"false"`
	Label     string   `json:"label,omitempty"`
	URL       string   `json:"url" doc:"https; http only of a host that was started with --allow-private."`
	Form      string   `json:"form,omitempty" enum:"cloudevents,seed" doc:"Left out: cloudevents."`
	Events    []string `json:"events,omitempty" doc:"Types, or names of the seed; none is all."`
	Instances []string `json:"instances,omitempty" doc:"None is all."`
	Unordered bool     `json:"unordered,omitempty" doc:"An event that fails holds up no other of its instance."`
	Parallel  int      `json:"parallel,omitempty" minimum:"1" maximum:"64" doc:"Calls at the same time. Left out: 8."`
	Token     bool     `json:"token,omitempty" doc:"Tell the instance's token, in the seed's form."`
	Enabled   *bool    `json:"enabled,omitempty" doc:"Left out: true."`
}

func (s webhookSettings) settings() events.Settings {
	return events.Settings{Label: s.Label, URL: s.URL, Form: s.Form, Events: orNone(s.Events), Instances: s.Instances, Unordered: s.Unordered, Parallel: s.Parallel, Token: s.Token}
}

type webhookList struct {
	Webhooks []webhook `json:"webhooks" nullable:"false"`
}

type madeWebhook struct {
	Location string `header:"Location"`
	Body     withSecret
}

type withSecret struct {
	Webhook webhook `json:"webhook"`
	Secret  string  `json:"secret" doc:"What the calls are signed with. It is shown now only."`
}

type rotated struct {
	Secret   string    `json:"secret" doc:"It is shown now only."`
	Previous time.Time `json:"previousUntil" doc:"Until when the one before signs, too."`
}

type webhookIn struct {
	Webhook string `path:"webhook" example:"wh_CB5Q2ZJX3K7V4M6N8P9R2T4W6Y"`
}

const exampleWebhook = `{"url":"https://crm.example/tapnode","events":["whatsapp.button.clicked.v1"],"instances":["demo"]}`

var webhookRefusals = []int{http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}

type eventTypes struct {
	Types []events.Catalogued `json:"types" nullable:"false"`
}

// catalogue serves the types of events.
func (a *API) catalogue() error {
	all, err := events.Catalogue()
	serve(a, route{
		method: http.MethodGet, path: "/v1/events/types", id: "listEventTypes", tag: "webhooks", summary: "The catalogue of events, with their schemas",
		access: Access{Read, Any},
	}, func(context.Context, *struct{}) (*one[eventTypes], error) {
		return &one[eventTypes]{eventTypes{all}}, nil
	})
	return err
}

// webhooks serves the webhooks that receive events.
func (a *API) webhooks(s *events.Service) {
	serve(a, route{
		method: http.MethodGet, path: "/v1/webhooks", id: "listWebhooks", tag: "webhooks", summary: "The webhooks of the host, or of an instance",
		access: Access{Manage, All},
	}, func(ctx context.Context, in *struct {
		Instance string `query:"instance" example:"demo" doc:"Those that POST /api/events/webhook/{instance} has set for it."`
	}) (*one[webhookList], error) {
		all, err := s.List(ctx, in.Instance)
		if err != nil {
			return nil, a.unhooked(err)
		}
		out := webhookList{make([]webhook, len(all))}
		for i, w := range all {
			out.Webhooks[i] = shownHook(w)
		}
		return &one[webhookList]{out}, nil
	})
	serve(a, route{
		method: http.MethodPost, path: "/v1/webhooks", id: "makeWebhook", tag: "webhooks", summary: "Make a webhook, which gets what comes from now on",
		access: Access{Manage, All}, status: http.StatusCreated, body: smallBody, example: exampleWebhook, refusals: webhookRefusals, acts: always, secret: true,
	}, func(ctx context.Context, in *struct{ strict[webhookSettings] }) (*madeWebhook, error) {
		w, secret, err := s.Create(ctx, in.in.settings(), in.in.Enabled == nil || *in.in.Enabled)
		if err != nil {
			return nil, a.unhooked(err)
		}
		return &madeWebhook{"/v1/webhooks/" + w.ID, withSecret{shownHook(w), secret}}, nil
	})
	serve(a, route{
		method: http.MethodGet, path: "/v1/webhooks/{webhook}", id: "getWebhook", tag: "webhooks", summary: "One webhook, and how it does",
		access: Access{Manage, All}, refusals: webhookRefusals,
	}, func(ctx context.Context, in *webhookIn) (*one[webhook], error) {
		found, err := s.Find(ctx, in.Webhook)
		if err != nil {
			return nil, a.unhooked(err)
		}
		out := shownHook(found.Webhook)
		out.Waiting, out.Dead, out.Last = &found.Waiting, &found.DeadLetters, found.Last
		return &one[webhook]{out}, nil
	})
	serve(a, route{
		method: http.MethodPut, path: "/v1/webhooks/{webhook}", id: "changeWebhook", tag: "webhooks", summary: "Give a webhook other settings",
		about:  "All of them: what is left out gets its default. One that is enabled again gets what comes from then on; one that is disabled leaves what waited for it as dead letters.",
		access: Access{Manage, All}, body: smallBody, example: exampleWebhook, refusals: webhookRefusals,
	}, func(ctx context.Context, in *struct {
		Webhook string `path:"webhook" example:"wh_CB5Q2ZJX3K7V4M6N8P9R2T4W6Y"`
		strict[webhookSettings]
	}) (*one[webhook], error) {
		w, err := s.Change(ctx, in.Webhook, in.in.settings(), in.in.Enabled == nil || *in.in.Enabled)
		if err != nil {
			return nil, a.unhooked(err)
		}
		return &one[webhook]{shownHook(w)}, nil
	})
	serve(a, route{
		method: http.MethodDelete, path: "/v1/webhooks/{webhook}", id: "deleteWebhook", tag: "webhooks", summary: "Delete a webhook, with its dead letters",
		access: Access{Manage, All}, refusals: webhookRefusals,
	}, func(ctx context.Context, in *webhookIn) (*struct{}, error) {
		if err := s.Remove(ctx, in.Webhook); err != nil {
			return nil, a.unhooked(err)
		}
		return nil, nil
	})
	serve(a, route{
		method: http.MethodPost, path: "/v1/webhooks/{webhook}/rotate", id: "rotateWebhookSecret", tag: "webhooks", summary: "Give a webhook another secret",
		about:  "For a day calls are signed with both, so that the receiver can change meanwhile.",
		access: Access{Manage, All}, refusals: webhookRefusals, acts: always, secret: true,
	}, func(ctx context.Context, in *webhookIn) (*one[rotated], error) {
		secret, until, err := s.Rotate(ctx, in.Webhook)
		if err != nil {
			return nil, a.unhooked(err)
		}
		return &one[rotated]{rotated{secret, until}}, nil
	})
}

// unhooked turns an error about webhooks into a problem. Its pointers are into the request's body.
func (a *API) unhooked(err error) *problem {
	p := a.failed(err)
	for i := range p.Errors {
		p.Errors[i].Pointer = strings.TrimPrefix(p.Errors[i].Pointer, "/input")
	}
	return p
}
