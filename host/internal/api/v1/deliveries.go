package v1

import (
	"context"
	"net/http"

	"github.com/tapnode/tapnode/host/internal/events"
)

type deliveryList struct {
	Deliveries []events.Attempt `json:"deliveries" nullable:"false"`
}

type undeliveredList struct {
	Letters []events.Undelivered `json:"deadLetters" nullable:"false"`
	more
}

type undeliveredIn struct {
	Webhook string `path:"webhook" example:"wh_CB5Q2ZJX3K7V4M6N8P9R2T4W6Y"`
	Event   string `path:"event" example:"6085e3de3831d37e77b591295ee2f769"`
}

// tried is a delivery attempt that the caller asked for.
type tried struct {
	Delivered bool           `json:"delivered"`
	Attempt   events.Attempt `json:"attempt"`
}

// deliveries serves the delivery attempts and the dead letters of webhooks.
func (a *API) deliveries(s *events.Service) {
	serve(a, route{
		method: http.MethodPost, path: "/v1/webhooks/{webhook}/test", id: "testWebhook", tag: "webhooks", summary: "Call a webhook with an event that says nothing",
		access: Access{Manage, All}, refusals: webhookRefusals, acts: always,
	}, func(ctx context.Context, in *webhookIn) (*one[tried], error) {
		return a.tried(s.Test(ctx, in.Webhook))
	})
	serve(a, route{
		method: http.MethodGet, path: "/v1/webhooks/{webhook}/deliveries", id: "listDeliveries", tag: "webhooks", summary: "The newest attempts, the newest first",
		about:  "The last 500 are kept.",
		access: Access{Manage, All}, refusals: webhookRefusals,
	}, func(ctx context.Context, in *struct {
		Webhook string `path:"webhook" example:"wh_CB5Q2ZJX3K7V4M6N8P9R2T4W6Y"`
		Limit   int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many at most."`
	}) (*one[deliveryList], error) {
		all, err := s.Deliveries(ctx, in.Webhook, in.Limit)
		if err != nil {
			return nil, a.unhooked(err)
		}
		return &one[deliveryList]{deliveryList{orNone(all)}}, nil
	})
	serve(a, route{
		method: http.MethodGet, path: "/v1/webhooks/{webhook}/deadletters", id: "listUndelivered", tag: "webhooks", summary: "Events that are not tried any more, the oldest first",
		access: Access{Manage, All}, refusals: webhookRefusals,
	}, func(ctx context.Context, in *struct {
		Webhook string `path:"webhook" example:"wh_CB5Q2ZJX3K7V4M6N8P9R2T4W6Y"`
		After   string `query:"after" maxLength:"512" doc:"What the page before said as next."`
		Limit   int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many at most."`
	}) (*one[undeliveredList], error) {
		all, err := s.DeadLetters(ctx, in.Webhook, in.After, in.Limit)
		if err != nil {
			return nil, a.unhooked(err)
		}
		out := undeliveredList{Letters: orNone(all)}
		if len(all) == in.Limit {
			out.Next = all[in.Limit-1].ID
		}
		for i := range all {
			all[i].Data = nil // only getUndelivered shows it, to callers who may see it
		}
		return &one[undeliveredList]{out}, nil
	})
	serve(a, route{
		method: http.MethodGet, path: "/v1/webhooks/{webhook}/deadletters/{event}", id: "getUndelivered", tag: "webhooks", summary: "One of them",
		access: Access{Manage, All}, refusals: webhookRefusals,
	}, func(ctx context.Context, in *struct {
		Webhook string `path:"webhook" example:"wh_CB5Q2ZJX3K7V4M6N8P9R2T4W6Y"`
		Event   string `path:"event" example:"6085e3de3831d37e77b591295ee2f769"`
		Reveal  bool   `query:"reveal" doc:"With the event's data, which has numbers and texts. The token must allow it."`
	}) (*one[events.Undelivered], error) {
		reveal, err := a.revealed(ctx, in.Reveal)
		if err != nil {
			return nil, err
		}
		l, err := s.DeadLetter(ctx, in.Webhook, in.Event)
		if err != nil {
			return nil, a.unhooked(err)
		}
		if !reveal {
			l.Data = nil
		}
		return &one[events.Undelivered]{l}, nil
	})
	serve(a, route{
		method: http.MethodPost, path: "/v1/webhooks/{webhook}/deadletters/{event}/redeliver", id: "redeliver", tag: "webhooks", summary: "Call the webhook with one of them again, under its id",
		access: Access{Manage, All}, refusals: webhookRefusals, acts: always,
	}, func(ctx context.Context, in *undeliveredIn) (*one[tried], error) {
		return a.tried(s.Redeliver(ctx, in.Webhook, in.Event))
	})
	serve(a, route{
		method: http.MethodDelete, path: "/v1/webhooks/{webhook}/deadletters/{event}", id: "dropUndelivered", tag: "webhooks", summary: "Forget one of them",
		access: Access{Manage, All}, refusals: webhookRefusals,
	}, func(ctx context.Context, in *undeliveredIn) (*struct{}, error) {
		if err := s.Drop(ctx, in.Webhook, in.Event); err != nil {
			return nil, a.unhooked(err)
		}
		return nil, nil
	})
}

func (a *API) tried(attempt events.Attempt, err error) (*one[tried], error) {
	if err != nil {
		return nil, a.unhooked(err)
	}
	return &one[tried]{tried{attempt.Error == "", attempt}}, nil
}
