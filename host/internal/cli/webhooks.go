package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// webhooks manages the webhooks of a running host.
func webhooks(ctx context.Context, c console, args []string) error {
	return errands(ctx, c, "webhooks", args, map[string]order{
		"list": {"", listWebhooks}, "add": {"URL", addWebhook}, "show": plain("ID", showWebhook), "set": {"ID URL", setWebhook}, "remove": plain("ID", removeWebhook),
		"rotate": plain("ID", rotateWebhook), "test": plain("ID", testWebhook), "deliveries": {"ID", listDeliveries}, "dead": {"ID [EVENT]", listDead},
		"redeliver": {"ID [EVENT]", redeliver}, "drop": plain("ID EVENT", dropDead), "types": plain("", listTypes),
	})
}

// hook is the part of a webhook that is shown as text. --json shows the other members, too.
type hook struct {
	ID      string   `json:"id"`
	Owner   string   `json:"owner,omitempty"`
	Label   string   `json:"label"`
	URL     string   `json:"url"`
	Form    string   `json:"form"`
	Events  []string `json:"events"`
	Enabled bool     `json:"enabled"`
	Reason  string   `json:"reason,omitempty"`
}

func (h hook) state() string {
	switch {
	case h.Enabled:
		return "on"
	case h.Reason != "":
		return "off: " + h.Reason
	}
	return "off"
}

func listWebhooks(fs *flag.FlagSet) func(context.Context, errand) error {
	instance := fs.String("instance", "", "those that the seed's API has set for this instance, by its `NAME`")
	return func(ctx context.Context, e errand) error {
		query := url.Values{}
		if *instance != "" {
			query.Set("instance", *instance)
		}
		var all struct {
			Webhooks []json.RawMessage `json:"webhooks"`
		}
		return e.list(ctx, v1("webhooks"), query, &all, func() error {
			w := e.table("ID\tLABEL\tSTATE\tFORM\tURL")
			for _, raw := range all.Webhooks {
				var h hook
				if err := json.Unmarshal(raw, &h); err != nil {
					return err
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", h.ID, printable(h.Label), h.state(), h.Form, printable(h.URL))
			}
			return w.Flush()
		})
	}
}

// hookFlags are the settings of a webhook.
type hookFlags struct {
	fs                *flag.FlagSet
	label, form       *string
	events, instances *list
	unordered, token  *bool
	off               *bool
	parallel          *int
}

func addHookFlags(fs *flag.FlagSet) hookFlags {
	f := hookFlags{fs: fs, events: &list{}, instances: &list{},
		label: fs.String("label", "", "a `NAME` to know it by"), form: fs.String("form", "cloudevents", "`FORM` of the bodies: cloudevents, or seed"),
		unordered: fs.Bool("unordered", false, "an event that fails holds up no other of its instance"), token: fs.Bool("token", false, "tell the instance's token, in the seed's form"),
		off: fs.Bool("off", false, "call it not"), parallel: fs.Int("parallel", 8, "`NUMBER` of calls at the same time")}
	fs.Var(f.events, "event", "only events of this `TYPE`; may be repeated")
	fs.Var(f.instances, "instance", "only events of the instance of this `NAME`; may be repeated")
	return f
}

func (f hookFlags) body(address string) map[string]any {
	return map[string]any{"label": *f.label, "url": address, "form": *f.form, "events": append([]string{}, *f.events...), "instances": append([]string{}, *f.instances...),
		"unordered": *f.unordered, "parallel": *f.parallel, "token": *f.token, "enabled": !*f.off}
}

func addWebhook(fs *flag.FlagSet) func(context.Context, errand) error {
	settings := addHookFlags(fs)
	return func(ctx context.Context, e errand) error {
		var made struct {
			Webhook json.RawMessage `json:"webhook"`
			Secret  string          `json:"secret"`
		}
		return e.change(ctx, http.MethodPost, v1("webhooks"), settings.body(e.args[0]), &made, func() error {
			var h hook
			if err := json.Unmarshal(made.Webhook, &h); err != nil {
				return err
			}
			return e.say("webhook %s\nsecret, shown only now: %s", h.ID, made.Secret)
		})
	}
}

func showWebhook(ctx context.Context, e errand) error {
	return e.list(ctx, v1("webhooks", e.args[0]), nil, &json.RawMessage{}, nil)
}

// setWebhook replaces all settings of a webhook.
func setWebhook(fs *flag.FlagSet) func(context.Context, errand) error {
	settings := addHookFlags(fs)
	return func(ctx context.Context, e errand) error {
		return e.change(ctx, http.MethodPut, v1("webhooks", e.args[0]), settings.body(e.args[1]), &json.RawMessage{}, nil)
	}
}

func removeWebhook(ctx context.Context, e errand) error {
	return e.change(ctx, http.MethodDelete, v1("webhooks", e.args[0]), nil, nil, func() error { return e.say("removed") })
}

func rotateWebhook(ctx context.Context, e errand) error {
	var r struct {
		Secret   string    `json:"secret"`
		Previous time.Time `json:"previousUntil"`
	}
	return e.change(ctx, http.MethodPost, v1("webhooks", e.args[0], "rotate"), nil, &r, func() error {
		return e.say("secret, shown only now: %s\nthe one before signs, too, until %s", r.Secret, r.Previous.Local().Format(time.DateTime))
	})
}

// attempt is one call of a webhook.
type attempt struct {
	Event   string    `json:"event"`
	Type    string    `json:"type"`
	Time    time.Time `json:"time"`
	TookMs  int64     `json:"tookMs"`
	Attempt int       `json:"attempt"`
	Status  int       `json:"status,omitempty"`
	Error   string    `json:"error,omitempty"`
}

func (a attempt) outcome() string {
	if a.Error != "" {
		return a.Error
	}
	return "taken, " + strconv.Itoa(a.Status)
}

// try has the host call a webhook once, and fails if the receiver does not accept the event.
func (e errand) try(ctx context.Context, path string) error {
	var out struct {
		Delivered bool    `json:"delivered"`
		Attempt   attempt `json:"attempt"`
	}
	err := e.change(ctx, http.MethodPost, path, nil, &out, func() error {
		return e.say("%s after %d ms", printable(out.Attempt.outcome()), out.Attempt.TookMs)
	})
	if err == nil && !out.Delivered {
		err = &exit{code: exitFailed}
	}
	return err
}

func testWebhook(ctx context.Context, e errand) error {
	return e.try(ctx, v1("webhooks", e.args[0], "test"))
}

func listDeliveries(fs *flag.FlagSet) func(context.Context, errand) error {
	limit := fs.Int("limit", engine.DefaultPage, "at most this `NUMBER`")
	return func(ctx context.Context, e errand) error {
		var all struct {
			Deliveries []attempt `json:"deliveries"`
		}
		return e.list(ctx, v1("webhooks", e.args[0], "deliveries"), url.Values{"limit": {strconv.Itoa(*limit)}}, &all, func() error {
			w := e.table("TIME\tEVENT\tTYPE\tATTEMPT\tMS\tOUTCOME")
			for _, a := range all.Deliveries {
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", a.Time.Local().Format(time.DateTime), printable(a.Event), printable(a.Type), a.Attempt, a.TookMs, printable(a.outcome()))
			}
			return w.Flush()
		})
	}
}
