package cli

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// deadLetters shows, resends and drops events that could not be delivered.
func deadLetters(ctx context.Context, c console, args []string) error {
	return errands(ctx, c, "deadletters", args, map[string]order{
		"list": {"", listLetters}, "show": {"ID", showLetter}, "resend": plain("ID", resendLetter), "drop": plain("ID", dropLetter),
	})
}

func listLetters(fs *flag.FlagSet) func(context.Context, errand) error {
	limit := fs.Int("limit", engine.DefaultPage, "at most this `NUMBER`, for list")
	after := fs.String("after", "", "go on behind this `PLACE`, which the page before named")
	reveal := revealFlag(fs)
	return func(ctx context.Context, e errand) error {
		query := shownAs(*reveal)
		query.Set("limit", strconv.Itoa(*limit))
		if *after != "" {
			query.Set("after", *after)
		}
		var all struct {
			Letters []engine.DeadLetter `json:"deadLetters"`
			Next    string              `json:"next,omitempty"`
		}
		return e.list(ctx, v1("deadletters"), query, &all, func() error {
			w := e.table("ID\tTIME\tEVENT\tFOR\tCODE\tMESSAGE")
			for _, l := range all.Letters {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(l.ID), l.Time.Local().Format(time.DateTime), printable(l.Event.Type), printable(goal(l)), l.Code, printable(l.Message))
			}
			return e.more(w, all.Next)
		})
	}
}

// goal returns the run or flow that an event was for.
func goal(l engine.DeadLetter) string {
	switch {
	case l.Run != "":
		return "run " + l.Run
	case l.Flow != "":
		return "flow " + l.Flow
	}
	return "-"
}

// showLetter prints a dead letter, always as JSON.
func showLetter(fs *flag.FlagSet) func(context.Context, errand) error {
	reveal := revealFlag(fs)
	return func(ctx context.Context, e errand) error {
		return e.list(ctx, v1("deadletters", e.args[0]), shownAs(*reveal), &engine.DeadLetter{}, nil)
	}
}

func resendLetter(ctx context.Context, e errand) error {
	var d struct {
		Delivered bool     `json:"delivered"`
		Answered  string   `json:"answered,omitempty"`
		Started   []string `json:"started,omitempty"`
	}
	err := e.change(ctx, http.MethodPost, v1("deadletters", e.args[0], "resend"), nil, &d, func() error {
		said := "delivered"
		switch {
		case !d.Delivered:
			said = "it could not be delivered again, and stays; show tells why"
		case d.Answered != "":
			said += ": run " + d.Answered + " took it as an answer"
		case len(d.Started) > 0:
			said += ": it started " + strings.Join(d.Started, ", ")
		}
		return e.say("%s", said)
	})
	if err == nil && !d.Delivered {
		err = &exit{code: exitFailed}
	}
	return err
}

func dropLetter(ctx context.Context, e errand) error {
	return e.change(ctx, http.MethodDelete, v1("deadletters", e.args[0]), nil, nil, nil)
}
