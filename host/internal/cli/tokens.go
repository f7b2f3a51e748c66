package cli

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/access"
	v1api "github.com/tapnode/tapnode/host/internal/api/v1"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// tokensCommand looks after the tokens of a running host.
func tokensCommand(ctx context.Context, c console, args []string) error {
	return errands(ctx, c, "tokens", args, map[string]order{
		"list": plain("", listTokens), "create": {"", createToken}, "rotate": {"ID", rotateToken}, "revoke": plain("ID", revokeToken),
	})
}

func listTokens(ctx context.Context, e errand) error {
	var all struct {
		Tokens []access.Token `json:"tokens"`
	}
	return e.list(ctx, v1("tokens"), nil, &all, func() error {
		w := e.table("ID\tNAME\tSCOPES\tINSTANCES\tCREATED\tEXPIRES\tLAST USED")
		for _, t := range all.Tokens {
			instances := "all"
			if len(t.Instances) > 0 {
				instances = some(t.Instances)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", printable(t.ID), printable(orDash(t.Name)), scopesText(t.Scopes), printable(instances),
				t.Created.Local().Format(time.DateTime), timeOrDash(t.Expires), timeOrDash(t.LastUsed))
		}
		return w.Flush()
	})
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
func createToken(fs *flag.FlagSet) func(context.Context, errand) error {
	name := fs.String("name", "", "call it by this `NAME`")
	scopes := fs.String("scopes", scopesText(access.AccountScopes()), "let it do these: `SCOPES` of send, read, manage and reveal, with commas")
	var instances list
	fs.Var(&instances, "instance", "limit it to the instance of this `NAME`; may be repeated")
	expires := fs.String("expires", "", "let it end after this `TIME`, such as 90d")
	return func(ctx context.Context, e errand) error {
		asked := map[string]any{"name": *name, "scopes": strings.Split(*scopes, ","), "instances": append([]string{}, instances...)}
		if *expires != "" {
			var d flow.Duration
			if err := d.UnmarshalText([]byte(*expires)); err != nil {
				return invalid("--expires: %w", err)
			}
			asked["expires"] = time.Now().Add(time.Duration(d)).UTC().Format(time.RFC3339)
		}
		return e.madeToken(ctx, v1("tokens"), asked)
	}
}

func rotateToken(fs *flag.FlagSet) func(context.Context, errand) error {
	grace := fs.String("grace", "", "let the token of now live on for this `TIME`, such as 1d")
	return func(ctx context.Context, e errand) error {
		asked := map[string]any{}
		if *grace != "" {
			var d flow.Duration
			if err := d.UnmarshalText([]byte(*grace)); err != nil {
				return invalid("--grace: %w", err)
			}
			asked["graceSeconds"] = int(time.Duration(d) / time.Second)
		}
		return e.madeToken(ctx, v1("tokens", e.args[0], "rotate"), asked)
	}
}

func (e errand) madeToken(ctx context.Context, path string, asked map[string]any) error {
	var made v1api.Made
	return e.change(ctx, http.MethodPost, path, asked, &made, func() error {
		if err := e.say("%s", made.Secret); err != nil {
			return err
		}
		fmt.Fprintf(e.err, "token %s, shown only now\n", made.ID)
		return nil
	})
}

func revokeToken(ctx context.Context, e errand) error {
	return e.change(ctx, http.MethodDelete, v1("tokens", e.args[0]), nil, nil, nil)
}

// audit shows who changed what in a running host.
func audit(ctx context.Context, c console, args []string) error {
	return order{"", listAudit}.run(ctx, c, newFlags("audit"), "audit", args)
}

func listAudit(fs *flag.FlagSet) func(context.Context, errand) error {
	limit := fs.Int("limit", access.DefaultPage, "at most this `NUMBER`")
	after := fs.String("after", "", "go on behind the entry with this `ID`, which the page before named")
	return func(ctx context.Context, e errand) error {
		query := url.Values{"limit": {strconv.Itoa(*limit)}}
		if *after != "" {
			query.Set("after", *after)
		}
		var page struct {
			Entries []access.Entry `json:"entries"`
			Next    string         `json:"next,omitempty"`
		}
		return e.list(ctx, v1("audit"), query, &page, func() error {
			w := e.table("TIME\tWHO\tFROM\tSTATUS\tWHAT")
			for _, x := range page.Entries {
				who := x.Caller
				if x.Name != "" {
					who += " (" + x.Name + ")"
				}
				what := x.Action
				if x.About != "" {
					what += ": " + x.About
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", x.Time.Local().Format(time.DateTime), printable(who), orDash(x.From), x.Status, printable(what))
			}
			return e.more(w, page.Next)
		})
	}
}
