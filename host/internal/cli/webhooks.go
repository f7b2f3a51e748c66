package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// webhooks looks after who is told of events.
func webhooks(ctx context.Context, c console, args []string) error {
	return subcommand(ctx, c, "webhooks", args, map[string]func(context.Context, console, *flag.FlagSet, []string) error{
		"list": listWebhooks, "add": addWebhook, "show": showWebhook, "set": setWebhook, "remove": removeWebhook, "rotate": rotateWebhook, "test": testWebhook,
		"deliveries": listDeliveries, "dead": listDead, "redeliver": redeliver, "drop": dropDead, "types": listTypes,
	})
}

// hook is what is shown of a webhook. Members that are not here are shown with --json.
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

func listWebhooks(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	instance := fs.String("instance", "", "those that the seed's API has set for this instance, by its `NAME`")
	host, _, asJSON, err := flowArgs(c, fs, args, 0, 0, "list")
	if err != nil {
		return err
	}
	defer host.close()
	query := url.Values{}
	if *instance != "" {
		query.Set("instance", *instance)
	}
	var all struct {
		Webhooks []json.RawMessage `json:"webhooks"`
	}
	if err := host.get(ctx, http.MethodGet, v1("webhooks"), query, nil, &all); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, all)
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tLABEL\tSTATE\tFORM\tURL")
	for _, raw := range all.Webhooks {
		var h hook
		if err := json.Unmarshal(raw, &h); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", h.ID, printable(h.Label), h.state(), h.Form, printable(h.URL))
	}
	return w.Flush()
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

func (f hookFlags) body(address string) ([]byte, error) {
	return json.Marshal(map[string]any{"label": *f.label, "url": address, "form": *f.form, "events": append([]string{}, *f.events...), "instances": append([]string{}, *f.instances...),
		"unordered": *f.unordered, "parallel": *f.parallel, "token": *f.token, "enabled": !*f.off})
}

func addWebhook(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	settings := addHookFlags(fs)
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 1, "add URL")
	if err != nil {
		return err
	}
	defer host.close()
	body, err := settings.body(rest[0])
	if err != nil {
		return err
	}
	var made struct {
		Webhook json.RawMessage `json:"webhook"`
		Secret  string          `json:"secret"`
	}
	if err := host.get(ctx, http.MethodPost, v1("webhooks"), nil, body, &made); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, made)
	}
	var h hook
	if err := json.Unmarshal(made.Webhook, &h); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "webhook %s\nsecret, shown only now: %s\n", h.ID, made.Secret)
	return err
}

func showWebhook(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, _, err := flowArgs(c, fs, args, 1, 1, "show ID")
	if err != nil {
		return err
	}
	defer host.close()
	var h json.RawMessage
	if err := host.get(ctx, http.MethodGet, v1("webhooks", rest[0]), nil, nil, &h); err != nil {
		return err
	}
	return printJSON(c.out, h)
}

// setWebhook gives a webhook all its settings anew.
func setWebhook(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	settings := addHookFlags(fs)
	host, rest, _, err := flowArgs(c, fs, args, 2, 2, "set ID URL")
	if err != nil {
		return err
	}
	defer host.close()
	body, err := settings.body(rest[1])
	if err != nil {
		return err
	}
	var h json.RawMessage
	if err := host.get(ctx, http.MethodPut, v1("webhooks", rest[0]), nil, body, &h); err != nil {
		return err
	}
	return printJSON(c.out, h)
}

func removeWebhook(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, _, err := flowArgs(c, fs, args, 1, 1, "remove ID")
	if err != nil {
		return err
	}
	defer host.close()
	if err := host.get(ctx, http.MethodDelete, v1("webhooks", rest[0]), nil, nil, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, "removed")
	return err
}

func rotateWebhook(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 1, "rotate ID")
	if err != nil {
		return err
	}
	defer host.close()
	var r struct {
		Secret   string    `json:"secret"`
		Previous time.Time `json:"previousUntil"`
	}
	if err := host.get(ctx, http.MethodPost, v1("webhooks", rest[0], "rotate"), nil, nil, &r); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, r)
	}
	_, err = fmt.Fprintf(c.out, "secret, shown only now: %s\nthe one before signs, too, until %s\n", r.Secret, r.Previous.Local().Format(time.DateTime))
	return err
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

// try makes one call that somebody asked for, and fails when the receiver did not take it.
func try(ctx context.Context, c console, host *control, path string, asJSON bool) error {
	var out struct {
		Delivered bool    `json:"delivered"`
		Attempt   attempt `json:"attempt"`
	}
	if err := host.get(ctx, http.MethodPost, path, nil, nil, &out); err != nil {
		return err
	}
	var err error
	if asJSON {
		err = printJSON(c.out, out)
	} else {
		_, err = fmt.Fprintf(c.out, "%s after %d ms\n", printable(out.Attempt.outcome()), out.Attempt.TookMs)
	}
	if err == nil && !out.Delivered {
		err = &exit{code: exitFailed}
	}
	return err
}

func testWebhook(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 1, "test ID")
	if err != nil {
		return err
	}
	defer host.close()
	return try(ctx, c, host, v1("webhooks", rest[0], "test"), asJSON)
}

func listDeliveries(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	limit := fs.Int("limit", engine.DefaultPage, "at most this `NUMBER`")
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 1, "deliveries ID")
	if err != nil {
		return err
	}
	defer host.close()
	var all struct {
		Deliveries []attempt `json:"deliveries"`
	}
	if err := host.get(ctx, http.MethodGet, v1("webhooks", rest[0], "deliveries"), url.Values{"limit": {strconv.Itoa(*limit)}}, nil, &all); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, all)
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "TIME\tEVENT\tTYPE\tATTEMPT\tMS\tOUTCOME")
	for _, a := range all.Deliveries {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", a.Time.Local().Format(time.DateTime), printable(a.Event), printable(a.Type), a.Attempt, a.TookMs, printable(a.outcome()))
	}
	return w.Flush()
}
