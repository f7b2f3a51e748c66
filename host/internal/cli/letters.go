package cli

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// deadLetters shows, resends and drops events that could not be delivered.
func deadLetters(ctx context.Context, c console, args []string) error {
	return subcommand(ctx, c, "deadletters", args, map[string]func(context.Context, console, *flag.FlagSet, []string) error{
		"list": listLetters, "show": showLetter, "resend": resendLetter, "drop": dropLetter,
	})
}

func listLetters(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	limit := fs.Int("limit", engine.DefaultPage, "at most this `NUMBER`, for list")
	after := fs.String("after", "", "go on behind this `PLACE`, which the page before named")
	reveal := revealFlag(fs)
	host, _, asJSON, err := flowArgs(c, fs, args, 0, 0, "list")
	if err != nil {
		return err
	}
	defer host.close()
	query := shownAs(*reveal)
	query.Set("limit", strconv.Itoa(*limit))
	if *after != "" {
		query.Set("after", *after)
	}
	var all struct {
		Letters []engine.DeadLetter `json:"deadLetters"`
		Next    string              `json:"next,omitempty"`
	}
	if err := host.get(ctx, http.MethodGet, v1("deadletters"), query, nil, &all); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, all)
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tTIME\tEVENT\tFOR\tCODE\tMESSAGE")
	for _, l := range all.Letters {
		goal := "-"
		switch {
		case l.Run != "":
			goal = "run " + l.Run
		case l.Flow != "":
			goal = "flow " + l.Flow
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(l.ID), l.Time.Local().Format(time.DateTime), printable(l.Event.Type), printable(goal), l.Code, printable(l.Message))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if all.Next != "" {
		fmt.Fprintf(c.err, "there may be more: --after %s\n", all.Next)
	}
	return nil
}

// showLetter prints one as JSON, which is what there is to see.
func showLetter(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	reveal := revealFlag(fs)
	host, rest, _, err := flowArgs(c, fs, args, 1, 1, "show ID")
	if err != nil {
		return err
	}
	defer host.close()
	var l engine.DeadLetter
	if err := host.get(ctx, http.MethodGet, v1("deadletters", rest[0]), shownAs(*reveal), nil, &l); err != nil {
		return err
	}
	return printJSON(c.out, l)
}

func resendLetter(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 1, "resend ID")
	if err != nil {
		return err
	}
	defer host.close()
	var d struct {
		Delivered bool     `json:"delivered"`
		Answered  string   `json:"answered,omitempty"`
		Started   []string `json:"started,omitempty"`
	}
	if err := host.get(ctx, http.MethodPost, v1("deadletters", rest[0], "resend"), nil, nil, &d); err != nil {
		return err
	}
	said := "delivered"
	switch {
	case !d.Delivered:
		said = "it could not be delivered again, and stays; show tells why"
	case d.Answered != "":
		said += ": run " + d.Answered + " took it as an answer"
	case len(d.Started) > 0:
		said += ": it started " + strings.Join(d.Started, ", ")
	}
	if asJSON {
		err = printJSON(c.out, d)
	} else {
		_, err = fmt.Fprintln(c.out, said)
	}
	if err == nil && !d.Delivered {
		err = &exit{code: exitFailed}
	}
	return err
}

func dropLetter(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, _, err := flowArgs(c, fs, args, 1, 1, "drop ID")
	if err != nil {
		return err
	}
	defer host.close()
	return host.get(ctx, http.MethodDelete, v1("deadletters", rest[0]), url.Values{}, nil, nil)
}
