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
	"text/tabwriter"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// runs finds, shows and repairs the runs of a running host.
func runs(ctx context.Context, c console, args []string) error {
	return subcommand(ctx, c, "runs", args, map[string]func(context.Context, console, *flag.FlagSet, []string) error{
		"list": listRuns, "show": showRun, "cancel": cancelRun, "retry": retryRun, "resume": resumeRun,
	})
}

// revealFlag is for what shows what customers said.
func revealFlag(fs *flag.FlagSet) *bool {
	return fs.Bool("reveal", false, "show numbers and texts, which are masked otherwise")
}

// shownAs is the query that asks for what is masked or not.
func shownAs(reveal bool) url.Values {
	query := url.Values{}
	if reveal {
		query.Set("reveal", "true")
	}
	return query
}

func listRuns(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
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
	host, _, asJSON, err := flowArgs(c, fs, args, 0, 0, "list")
	if err != nil {
		return err
	}
	defer host.close()
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
	type page struct {
		Runs []engine.Found `json:"runs"`
		Next string         `json:"next,omitempty"`
	}
	all := page{Runs: []engine.Found{}}
	for len(all.Runs) < *limit { // a page may have fewer than it could
		query.Set("limit", strconv.Itoa(min(*limit-len(all.Runs), engine.MaxPage)))
		var some page
		if err := host.get(ctx, http.MethodGet, v1("runs"), query, nil, &some); err != nil {
			return err
		}
		all.Runs = append(all.Runs, some.Runs...)
		if all.Next = some.Next; all.Next == "" {
			break
		}
		query.Set("after", all.Next)
	}
	if asJSON {
		return printJSON(c.out, all)
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tFLOW\tVERSION\tSTARTED\tSTATUS\tABOUT")
	for _, f := range all.Runs {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", f.Run, printable(f.Flow), f.Version, f.Started.Local().Format(time.DateTime), printable(standing(f)), printable(firstSubject(f)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if all.Next != "" {
		fmt.Fprintf(c.err, "there are more: --after %s\n", all.Next)
	}
	return nil
}

// ago replaces a length of time by the time that long ago.
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

// standing is how a run stands.
func standing(f engine.Found) string {
	switch {
	case len(f.Waits) > 0:
		return "waits at " + strings.Join(f.Waits, ", ")
	case f.Error != "" && f.Status == run.StatusFailed:
		return string(f.Status) + " at " + f.Error
	}
	return string(f.Status)
}

// firstSubject is that which a list has room for, which is mostly the customer.
func firstSubject(f engine.Found) string {
	if len(f.About) == 0 {
		return "-"
	}
	return f.About[0]
}

func showRun(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	reveal := revealFlag(fs)
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 1, "show RUN")
	if err != nil {
		return err
	}
	defer host.close()
	var h engine.History
	if err := host.get(ctx, http.MethodGet, v1("runs", rest[0]), shownAs(*reveal), nil, &h); err != nil {
		return err
	}
	return printHistory(c, h, asJSON)
}

func printHistory(c console, h engine.History, asJSON bool) error {
	if asJSON {
		return printJSON(c.out, h)
	}
	fmt.Fprintf(c.out, "run %s of %s, version %d, by trigger %s\n", h.Run, printable(h.Flow), h.Version, printable(h.Trigger))
	fmt.Fprintf(c.out, "status: %s\n", printable(strings.TrimSuffix(standing(h.Found)+": "+h.Message, ": ")))
	if len(h.About) > 0 {
		fmt.Fprintf(c.out, "about: %s\n", printable(strings.Join(h.About, ", ")))
	}
	for _, p := range h.Pending {
		due := "now"
		if !p.Due.IsZero() {
			due = p.Due.Local().Format(time.DateTime)
		}
		fmt.Fprintf(c.out, "next: %s of %s (visit %d), %s\n", p.Kind, printable(p.Node), p.Visit, due)
	}
	if h.Omitted > 0 {
		fmt.Fprintf(c.out, "%d earlier steps are not shown: GET /v1/runs/%s/steps has them\n", h.Omitted, h.Run)
	}
	fmt.Fprintln(c.out)
	out := printer{w: c.out}
	for _, st := range h.Steps {
		if err := out.step(st.Step); err != nil {
			return err
		}
		const indent = "              "
		if st.TookMs > 0 {
			fmt.Fprintf(c.out, "%stook %d ms\n", indent, st.TookMs)
		}
		if st.Key != "" && st.TookMs == 0 {
			fmt.Fprintf(c.out, "%skey %s\n", indent, printable(st.Key))
		}
		if raw, err := json.Marshal(st.Data); err == nil && st.Data != nil {
			fmt.Fprintf(c.out, "%s%s\n", indent, printable(string(raw)))
		}
	}
	return nil
}

// repairRun changes a run and prints how it stands then.
func repairRun(ctx context.Context, c console, fs *flag.FlagSet, args []string, how string, options func() map[string]any) error {
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 1, how+" RUN")
	if err != nil {
		return err
	}
	defer host.close()
	body, err := json.Marshal(options())
	if err != nil {
		return err
	}
	var h engine.History
	if err := host.get(ctx, http.MethodPost, v1("runs", rest[0], how), nil, body, &h); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, h)
	}
	_, err = fmt.Fprintf(c.out, "%s %s\n", h.Run, printable(standing(h.Found)))
	return err
}

func cancelRun(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	reason := fs.String("reason", "", "why, for cancel, in `WORDS`")
	return repairRun(ctx, c, fs, args, "cancel", func() map[string]any { return map[string]any{"reason": *reason} })
}

func retryRun(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	return repairRun(ctx, c, fs, args, "retry", func() map[string]any { return nil })
}

func resumeRun(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	visit := fs.Int("visit", 0, "only this `VISIT`, for resume, by its number in runs show")
	return repairRun(ctx, c, fs, args, "resume", func() map[string]any { return map[string]any{"visit": *visit} })
}
