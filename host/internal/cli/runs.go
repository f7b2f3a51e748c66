package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// runs finds, shows and repairs the runs of a running host.
func runs(ctx context.Context, c console, args []string) error {
	return errands(ctx, c, "runs", args, map[string]order{
		"list": {"", listRuns}, "show": {"RUN", showRun}, "cancel": {"RUN", cancelRun}, "retry": plain("RUN", retryRun), "resume": {"RUN", resumeRun},
	})
}

// revealFlag adds --reveal, for commands that show what customers said.
func revealFlag(fs *flag.FlagSet) *bool {
	return fs.Bool("reveal", false, "show numbers and texts, which are masked otherwise")
}

// shownAs returns the query that asks for masked or revealed answers.
func shownAs(reveal bool) url.Values {
	query := url.Values{}
	if reveal {
		query.Set("reveal", "true")
	}
	return query
}

func listRuns(fs *flag.FlagSet) func(context.Context, errand) error {
	filters := map[string]*string{
		"flow":    fs.String("flow", "", "of this `FLOW`"),
		"version": fs.String("version", "", "of this `NUMBER` of the flow's versions"),
		"status":  fs.String("status", "", "`STATUS`: running, succeeded, failed or cancelled"),
		"node":    fs.String("node", "", "that wait at this `NODE` of the flow"),
		"about":   fs.String("about", "", "about a `CUSTOMER` or message: a number, a LID, an id of a message"),
		"since":   fs.String("since", "", "begun at this `TIME` or later: 2026-11-26T10:00:00Z, or how long ago, as 3d"),
		"until":   fs.String("until", "", "begun before this `TIME`"),
		"after":   fs.String("after", "", "go on behind this `PLACE`, which the page before named"),
	}
	limit := fs.Int("limit", engine.DefaultPage, "at most this `NUMBER` of runs")
	reveal := revealFlag(fs)
	return func(ctx context.Context, e errand) error {
		query := shownAs(*reveal)
		for name, value := range filters {
			if *value != "" {
				query.Set(name, *value)
			}
		}
		for _, name := range []string{"since", "until"} {
			if err := ago(query, name); err != nil {
				return err
			}
		}
		return e.listRuns(ctx, query, *limit)
	}
}

func (e errand) listRuns(ctx context.Context, query url.Values, limit int) error {
	type page struct {
		Runs []engine.Found `json:"runs"`
		Next string         `json:"next,omitempty"`
	}
	all := page{Runs: []engine.Found{}}
	for len(all.Runs) < limit { // a page may be shorter than its limit
		query.Set("limit", strconv.Itoa(min(limit-len(all.Runs), engine.MaxPage)))
		var some page
		if err := e.get(ctx, v1("runs"), query, &some); err != nil {
			return err
		}
		all.Runs = append(all.Runs, some.Runs...)
		if all.Next = some.Next; all.Next == "" {
			break
		}
		query.Set("after", all.Next)
	}
	return e.print(all, func() error {
		w := e.table("RUN\tFLOW\tVERSION\tSTARTED\tSTATUS\tABOUT")
		for _, f := range all.Runs {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", f.Run, printable(f.Flow), f.Version, f.Started.Local().Format(time.DateTime), printable(standing(f)), printable(firstSubject(f)))
		}
		return e.more(w, all.Next)
	})
}

// ago replaces a duration in the query by the time that long ago.
func ago(query url.Values, name string) error {
	value := query.Get(name)
	if value == "" || strings.Contains(value, "T") {
		return nil
	}
	var d flow.Duration
	if err := d.UnmarshalText([]byte(value)); err != nil {
		return invalid("--%s %.40q is neither a time such as 2026-11-26T10:00:00Z nor how long ago, such as 3d", name, value)
	}
	query.Set(name, time.Now().Add(-time.Duration(d)).UTC().Format(time.RFC3339))
	return nil
}

// standing describes the state of a run.
func standing(f engine.Found) string {
	switch {
	case len(f.Waits) > 0:
		return "waits at " + strings.Join(f.Waits, ", ")
	case f.Error != "" && f.Status == run.StatusFailed:
		return string(f.Status) + " at " + f.Error
	}
	return string(f.Status)
}

// firstSubject returns the one subject that a list has room for, usually the customer.
func firstSubject(f engine.Found) string {
	if len(f.About) == 0 {
		return "-"
	}
	return f.About[0]
}

func showRun(fs *flag.FlagSet) func(context.Context, errand) error {
	reveal := revealFlag(fs)
	return func(ctx context.Context, e errand) error {
		var h engine.History
		return e.list(ctx, v1("runs", e.args[0]), shownAs(*reveal), &h, func() error { return e.printHistory(h) })
	}
}

func (e errand) printHistory(h engine.History) error {
	fmt.Fprintf(e.out, "run %s of %s, version %d, by trigger %s\n", h.Run, printable(h.Flow), h.Version, printable(h.Trigger))
	fmt.Fprintf(e.out, "status: %s\n", printable(strings.TrimSuffix(standing(h.Found)+": "+h.Message, ": ")))
	if len(h.About) > 0 {
		fmt.Fprintf(e.out, "about: %s\n", printable(strings.Join(h.About, ", ")))
	}
	for _, p := range h.Pending {
		due := "now"
		if !p.Due.IsZero() {
			due = p.Due.Local().Format(time.DateTime)
		}
		fmt.Fprintf(e.out, "next: %s of %s (visit %d), %s\n", p.Kind, printable(p.Node), p.Visit, due)
	}
	if h.Omitted > 0 {
		fmt.Fprintf(e.out, "%d earlier steps are not shown: GET /v1/runs/%s/steps has them\n", h.Omitted, h.Run)
	}
	fmt.Fprintln(e.out)
	out := printer{w: e.out}
	for _, st := range h.Steps {
		if err := out.step(st.Step); err != nil {
			return err
		}
		const indent = "              "
		if st.TookMs > 0 {
			fmt.Fprintf(e.out, "%stook %d ms\n", indent, st.TookMs)
		}
		if st.Key != "" && st.TookMs == 0 {
			fmt.Fprintf(e.out, "%skey %s\n", indent, printable(st.Key))
		}
		if raw, err := json.Marshal(st.Data); err == nil && st.Data != nil {
			fmt.Fprintf(e.out, "%s%s\n", indent, printable(string(raw)))
		}
	}
	return nil
}

// repairRun changes a run and prints its new state.
func (e errand) repairRun(ctx context.Context, how string, options map[string]any) error {
	var h engine.History
	return e.change(ctx, http.MethodPost, v1("runs", e.args[0], how), options, &h, func() error {
		return e.say("%s %s", h.Run, printable(standing(h.Found)))
	})
}

func cancelRun(fs *flag.FlagSet) func(context.Context, errand) error {
	reason := fs.String("reason", "", "why, for cancel, in `WORDS`")
	return func(ctx context.Context, e errand) error {
		return e.repairRun(ctx, "cancel", map[string]any{"reason": *reason})
	}
}

func retryRun(ctx context.Context, e errand) error { return e.repairRun(ctx, "retry", nil) }

func resumeRun(fs *flag.FlagSet) func(context.Context, errand) error {
	visit := fs.Int("visit", 0, "only this `VISIT`, for resume, by its number in runs show")
	return func(ctx context.Context, e errand) error {
		return e.repairRun(ctx, "resume", map[string]any{"visit": *visit})
	}
}
