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

// listDead lists the dead letters of a webhook, or shows one.
func listDead(fs *flag.FlagSet) func(context.Context, errand) error {
	limit := fs.Int("limit", engine.DefaultPage, "at most this `NUMBER`")
	after := fs.String("after", "", "go on behind this `PLACE`, which the page before named")
	reveal := revealFlag(fs)
	return func(ctx context.Context, e errand) error {
		if len(e.args) == 2 {
			return e.list(ctx, v1("webhooks", e.args[0], "deadletters", e.args[1]), shownAs(*reveal), &json.RawMessage{}, nil)
		}
		all, err := e.deadPage(ctx, e.args[0], *after, *limit)
		if err != nil {
			return err
		}
		return e.print(all, func() error {
			w := e.table("EVENT\tTYPE\tTIME\tATTEMPTS\tCODE\tERROR")
			for _, l := range all.Letters {
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", printable(l.ID), printable(l.Type), l.Time.Local().Format(time.DateTime), l.Attempts, l.Code, printable(l.Error))
			}
			return e.more(w, all.Next)
		})
	}
}

type deadList struct {
	Letters []struct {
		ID       string    `json:"id"`
		Type     string    `json:"type"`
		Instance string    `json:"instance,omitempty"`
		Run      string    `json:"run,omitempty"`
		Time     time.Time `json:"time"`
		Attempts int       `json:"attempts"`
		Code     string    `json:"code"`
		Error    string    `json:"error,omitempty"`
		Died     time.Time `json:"diedAt"`
	} `json:"deadLetters"`
	Next string `json:"next,omitempty"`
}

func (e errand) deadPage(ctx context.Context, id, after string, limit int) (all deadList, err error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if after != "" {
		query.Set("after", after)
	}
	err = e.get(ctx, v1("webhooks", id, "deadletters"), query, &all)
	return all, err
}

// redeliver sends one of a webhook's dead letters again, or all of them in order until one is not
// accepted.
func redeliver(fs *flag.FlagSet) func(context.Context, errand) error {
	all := fs.Bool("all", false, "all of them, in their order, until one is not taken")
	return func(ctx context.Context, e errand) error {
		if (len(e.args) == 2) == *all {
			return invalid("want tapnode webhooks redeliver ID EVENT, or --all")
		}
		if !*all {
			return e.try(ctx, v1("webhooks", e.args[0], "deadletters", e.args[1], "redeliver"))
		}
		for {
			page, err := e.deadPage(ctx, e.args[0], "", engine.DefaultPage)
			if err != nil || len(page.Letters) == 0 {
				return err
			}
			for _, l := range page.Letters {
				if err := e.try(ctx, v1("webhooks", e.args[0], "deadletters", l.ID, "redeliver")); err != nil {
					return err
				}
			}
		}
	}
}

func dropDead(ctx context.Context, e errand) error {
	return e.change(ctx, http.MethodDelete, v1("webhooks", e.args[0], "deadletters", e.args[1]), nil, nil, func() error { return e.say("dropped") })
}

// listTypes lists the catalogue of events.
func listTypes(ctx context.Context, e errand) error {
	var all struct {
		Types []struct {
			Type   string          `json:"type"`
			Seed   string          `json:"seed,omitempty"`
			Title  string          `json:"title"`
			Schema json.RawMessage `json:"schema"`
		} `json:"types"`
	}
	return e.list(ctx, v1("events", "types"), nil, &all, func() error {
		w := e.table("TYPE\tIN THE SEED'S FORM\tWHAT")
		for _, k := range all.Types {
			fmt.Fprintf(w, "%s\t%s\t%s\n", k.Type, orDash(k.Seed), k.Title)
		}
		return w.Flush()
	})
}
