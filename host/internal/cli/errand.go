package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/tapnode/tapnode/host/internal/flow"
)

// errand is a command to a running host, with its arguments parsed.
type errand struct {
	console
	host *control
	args []string
	json bool // print the answer as JSON
}

// order is a subcommand that is an errand. takes lists its arguments as the help shows them: "ID
// [EVENT]" is one or two arguments, "FILE…" one or more.
type order struct {
	takes string
	// prepare adds flags, and returns the function to run once they are parsed.
	prepare func(fs *flag.FlagSet) func(ctx context.Context, e errand) error
}

// plain is an order without flags of its own.
func plain(takes string, do func(ctx context.Context, e errand) error) order {
	return order{takes, func(*flag.FlagSet) func(context.Context, errand) error { return do }}
}

// run runs the order under its full name, such as "tokens list".
func (o order) run(ctx context.Context, c console, fs *flag.FlagSet, name string, args []string) error {
	to := reachFlags(fs, dataFlag(fs))
	asJSON := fs.Bool("json", false, "print JSON")
	do := o.prepare(fs)
	rest, err := parse(c, fs, args)
	if err != nil {
		return err
	}
	words := strings.Fields(o.takes)
	least := len(slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.HasPrefix(w, "[") }))
	if len(rest) < least || len(rest) > len(words) && !strings.HasSuffix(o.takes, "…") {
		return invalid("want tapnode %s (see tapnode %s -h)", strings.TrimRight(name+" "+o.takes, " "), name)
	}
	host, err := to.control(c)
	if err != nil {
		return err
	}
	defer host.close()
	return do(ctx, errand{c, host, rest, *asJSON})
}

// errands runs the order of a command that its first argument names.
func errands(ctx context.Context, c console, name string, args []string, orders map[string]order) error {
	all := map[string]func(context.Context, console, *flag.FlagSet, []string) error{}
	for sub, o := range orders {
		all[sub] = func(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
			return o.run(ctx, c, fs, name+" "+sub, args)
		}
	}
	return subcommand(ctx, c, name, args, all)
}

// subcommand runs the subcommand of a command that its first argument names.
func subcommand(ctx context.Context, c console, name string, args []string, all map[string]func(context.Context, console, *flag.FlagSet, []string) error) error {
	var known []string
	for sub := range all {
		known = append(known, sub)
	}
	if len(args) == 0 {
		return invalid("tapnode %s what? %s", name, flow.DidYouMean("", known))
	}
	fs := newFlags(name)
	if args[0] == "-h" || args[0] == "--help" || args[0] == "-help" {
		reachFlags(fs, dataFlag(fs))
		fs.Bool("json", false, "print JSON")
		_, err := parse(c, fs, args)
		fmt.Fprintf(c.out, "\nEach has flags of its own: tapnode %s %s -h\n", name, slices.Min(known))
		return err
	}
	run, ok := all[args[0]]
	if !ok {
		return invalid("unknown tapnode %s %.80q: %s", name, args[0], flow.DidYouMean(args[0], known))
	}
	return run(ctx, c, fs, args[1:])
}

// get reads an answer without printing it.
func (e errand) get(ctx context.Context, path string, query url.Values, into any) error {
	return e.host.get(ctx, http.MethodGet, path, query, nil, into)
}

// list asks for an answer and prints it.
func (e errand) list(ctx context.Context, path string, query url.Values, answer any, text func() error) error {
	if err := e.get(ctx, path, query, answer); err != nil {
		return err
	}
	return e.print(answer, text)
}

// change has the host change something, and prints its answer; answer is nil if there is none.
func (e errand) change(ctx context.Context, method, path string, asked, answer any, text func() error) error {
	var body []byte
	if asked != nil {
		var err error
		if body, err = json.Marshal(asked); err != nil {
			return err
		}
	}
	if err := e.host.get(ctx, method, path, nil, body, answer); err != nil {
		return err
	}
	return e.print(answer, text)
}

// print prints an answer: as text, or as JSON if that is asked for or there is no text.
func (e errand) print(answer any, text func() error) error {
	switch {
	case text != nil && (answer == nil || !e.json):
		return text()
	case answer != nil:
		return printJSON(e.out, answer)
	}
	return nil
}

// say prints a line of text.
func (e errand) say(format string, args ...any) error {
	_, err := fmt.Fprintf(e.out, format+"\n", args...)
	return err
}

// table begins a table with the headings of its columns. Tabs separate the cells of headings and
// rows.
func (e errand) table(heads string) *tabwriter.Writer {
	w := tabwriter.NewWriter(e.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, heads)
	return w
}

// more ends the table of a list, and prints where the next page begins if there may be more.
func (e errand) more(w *tabwriter.Writer, next string) error {
	err := w.Flush()
	if err == nil && next != "" {
		fmt.Fprintf(e.err, "there may be more: --after %s\n", next)
	}
	return err
}
