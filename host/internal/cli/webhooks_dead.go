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

// listDead lists the dead letters of a webhook, or shows one.
func listDead(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	limit := fs.Int("limit", engine.DefaultPage, "at most this `NUMBER`")
	after := fs.String("after", "", "go on behind this `PLACE`, which the page before named")
	reveal := revealFlag(fs)
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 2, "dead ID [EVENT]")
	if err != nil {
		return err
	}
	defer host.close()
	if len(rest) == 2 {
		var one json.RawMessage
		if err := host.get(ctx, http.MethodGet, v1("webhooks", rest[0], "deadletters", rest[1]), shownAs(*reveal), nil, &one); err != nil {
			return err
		}
		return printJSON(c.out, one)
	}
	all, err := deadPage(ctx, host, rest[0], *after, *limit)
	if err != nil || asJSON {
		if err == nil {
			err = printJSON(c.out, all)
		}
		return err
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "EVENT\tTYPE\tTIME\tATTEMPTS\tCODE\tERROR")
	for _, l := range all.Letters {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", printable(l.ID), printable(l.Type), l.Time.Local().Format(time.DateTime), l.Attempts, l.Code, printable(l.Error))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if all.Next != "" {
		fmt.Fprintf(c.err, "there may be more: --after %s\n", all.Next)
	}
	return nil
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

func deadPage(ctx context.Context, host *control, id, after string, limit int) (all deadList, err error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if after != "" {
		query.Set("after", after)
	}
	err = host.get(ctx, http.MethodGet, v1("webhooks", id, "deadletters"), query, nil, &all)
	return all, err
}

// redeliver calls a webhook with one of its dead letters, or with all in their order until one is
// not taken.
func redeliver(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	all := fs.Bool("all", false, "all of them, in their order, until one is not taken")
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 2, "redeliver ID EVENT")
	if err != nil {
		return err
	}
	defer host.close()
	if (len(rest) == 2) == *all {
		return invalid("want tapnode webhooks redeliver ID EVENT, or --all")
	}
	if !*all {
		return try(ctx, c, host, v1("webhooks", rest[0], "deadletters", rest[1], "redeliver"), asJSON)
	}
	for {
		page, err := deadPage(ctx, host, rest[0], "", engine.DefaultPage)
		if err != nil || len(page.Letters) == 0 {
			return err
		}
		for _, l := range page.Letters {
			if err := try(ctx, c, host, v1("webhooks", rest[0], "deadletters", l.ID, "redeliver"), asJSON); err != nil {
				return err
			}
		}
	}
}

func dropDead(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, _, err := flowArgs(c, fs, args, 2, 2, "drop ID EVENT")
	if err != nil {
		return err
	}
	defer host.close()
	if err := host.get(ctx, http.MethodDelete, v1("webhooks", rest[0], "deadletters", rest[1]), nil, nil, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, "dropped")
	return err
}

// listTypes lists the catalogue of events.
func listTypes(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, _, asJSON, err := flowArgs(c, fs, args, 0, 0, "types")
	if err != nil {
		return err
	}
	defer host.close()
	var all struct {
		Types []struct {
			Type   string          `json:"type"`
			Seed   string          `json:"seed,omitempty"`
			Title  string          `json:"title"`
			Schema json.RawMessage `json:"schema"`
		} `json:"types"`
	}
	if err := host.get(ctx, http.MethodGet, v1("events", "types"), nil, nil, &all); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, all)
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "TYPE\tIN THE SEED'S FORM\tWHAT")
	for _, k := range all.Types {
		seed := k.Seed
		if seed == "" {
			seed = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", k.Type, seed, k.Title)
	}
	return w.Flush()
}
