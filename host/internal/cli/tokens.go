package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tapnode/tapnode/host/internal/access"
	v1api "github.com/tapnode/tapnode/host/internal/api/v1"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// tokensCommand looks after the tokens of a running host.
func tokensCommand(ctx context.Context, c console, args []string) error {
	return subcommand(ctx, c, "tokens", args, map[string]func(context.Context, console, *flag.FlagSet, []string) error{
		"list": listTokens, "create": createToken, "rotate": rotateToken, "revoke": revokeToken,
	})
}

func listTokens(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, _, asJSON, err := flowArgs(c, fs, args, 0, 0, "list")
	if err != nil {
		return err
	}
	defer host.close()
	var all struct {
		Tokens []access.Token `json:"tokens"`
	}
	if err := host.get(ctx, http.MethodGet, v1("tokens"), nil, nil, &all); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, all)
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tSCOPES\tINSTANCES\tCREATED\tEXPIRES\tLAST USED")
	for _, t := range all.Tokens {
		instances := "all"
		if len(t.Instances) > 0 {
			instances = some(t.Instances)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", printable(t.ID), printable(orDash(t.Name)), scopesText(t.Scopes), printable(instances),
			t.Created.Local().Format(time.DateTime), timeOrDash(t.Expires), timeOrDash(t.LastUsed))
	}
	return w.Flush()
}

func scopesText(scopes []access.Scope) string {
	var names []string
	for _, s := range scopes {
		names = append(names, string(s))
	}
	return strings.Join(names, ",")
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func timeOrDash(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

// createToken makes a token and prints it, the only time it can be seen.
func createToken(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	name := fs.String("name", "", "call it by this `NAME`")
	scopes := fs.String("scopes", scopesText(access.AccountScopes()), "let it do these: `SCOPES` of send, read, manage and reveal, with commas")
	var instances list
	fs.Var(&instances, "instance", "limit it to the instance of this `NAME`; may be repeated")
	expires := fs.String("expires", "", "let it end after this `TIME`, such as 90d")
	host, _, asJSON, err := flowArgs(c, fs, args, 0, 0, "create")
	if err != nil {
		return err
	}
	defer host.close()
	asked := map[string]any{"name": *name, "scopes": strings.Split(*scopes, ","), "instances": append([]string{}, instances...)}
	if *expires != "" {
		var d flow.Duration
		if err := d.UnmarshalText([]byte(*expires)); err != nil {
			return invalid("--expires: %w", err)
		}
		asked["expires"] = time.Now().Add(time.Duration(d)).UTC().Format(time.RFC3339)
	}
	return printMade(ctx, c, host, v1("tokens"), asked, asJSON)
}

func rotateToken(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	grace := fs.String("grace", "", "let the token of now live on for this `TIME`, such as 1d")
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 1, "rotate ID")
	if err != nil {
		return err
	}
	defer host.close()
	asked := map[string]any{}
	if *grace != "" {
		var d flow.Duration
		if err := d.UnmarshalText([]byte(*grace)); err != nil {
			return invalid("--grace: %w", err)
		}
		asked["graceSeconds"] = int(time.Duration(d) / time.Second)
	}
	return printMade(ctx, c, host, v1("tokens", url.PathEscape(rest[0]), "rotate"), asked, asJSON)
}

func printMade(ctx context.Context, c console, host *control, path string, asked map[string]any, asJSON bool) error {
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	var made v1api.Made
	if err := host.get(ctx, http.MethodPost, path, nil, body, &made); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, made)
	}
	if _, err := fmt.Fprintln(c.out, made.Secret); err != nil {
		return err
	}
	fmt.Fprintf(c.err, "token %s, shown only now\n", made.ID)
	return nil
}

func revokeToken(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, _, err := flowArgs(c, fs, args, 1, 1, "revoke ID")
	if err != nil {
		return err
	}
	defer host.close()
	return host.get(ctx, http.MethodDelete, v1("tokens", url.PathEscape(rest[0])), nil, nil, nil)
}

// audit shows who changed what in a running host.
func audit(ctx context.Context, c console, args []string) error {
	fs := newFlags("audit")
	limit := fs.Int("limit", access.DefaultPage, "at most this `NUMBER`")
	after := fs.String("after", "", "go on behind the entry with this `ID`, which the page before named")
	to := reachFlags(fs, dataFlag(fs))
	asJSON := fs.Bool("json", false, "print JSON")
	if err := none(c, fs, args); err != nil {
		return err
	}
	host, err := to.control(c)
	if err != nil {
		return err
	}
	defer host.close()
	query := url.Values{"limit": {strconv.Itoa(*limit)}}
	if *after != "" {
		query.Set("after", *after)
	}
	var page struct {
		Entries []access.Entry `json:"entries"`
		Next    string         `json:"next,omitempty"`
	}
	if err := host.get(ctx, http.MethodGet, v1("audit"), query, nil, &page); err != nil {
		return err
	}
	if *asJSON {
		return printJSON(c.out, page)
	}
	if err := printEntries(c.out, page.Entries); err != nil {
		return err
	}
	if page.Next != "" {
		fmt.Fprintf(c.err, "there may be more: --after %s\n", page.Next)
	}
	return nil
}

func printEntries(out io.Writer, entries []access.Entry) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "TIME\tWHO\tFROM\tSTATUS\tWHAT")
	for _, e := range entries {
		who := e.Caller
		if e.Name != "" {
			who += " (" + e.Name + ")"
		}
		what := e.Action
		if e.About != "" {
			what += ": " + e.About
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", e.Time.Local().Format(time.DateTime), printable(who), orDash(e.From), e.Status, printable(what))
	}
	return w.Flush()
}
