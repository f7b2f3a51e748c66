package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/host/internal/api"
	v1api "github.com/tapnode/tapnode/host/internal/api/v1"
)

// signIn prints a link that opens the host's page once, or ends all sessions that such links began.
func signIn(ctx context.Context, c console, args []string) error {
	fs := newFlags("signin")
	scopes := fs.String("scopes", scopesText(access.AccountScopes()), "let the browser do these: `SCOPES` of send, read, manage and reveal, with commas")
	end := fs.Bool("end", false, "make no link: end all sessions that began with one")
	data := dataFlag(fs)
	asJSON := fs.Bool("json", false, "print JSON")
	if err := none(c, fs, args); err != nil {
		return err
	}
	host := newControl(*data)
	defer host.close()
	if *end {
		return host.get(ctx, http.MethodDelete, v1("session"), url.Values{"everywhere": {"true"}}, nil, nil)
	}
	body, err := json.Marshal(map[string]any{"scopes": strings.Split(*scopes, ",")})
	if err != nil {
		return err
	}
	var link v1api.Link
	if err := host.get(ctx, http.MethodPost, v1("session", "link"), nil, body, &link); err != nil {
		return err
	}
	if *asJSON {
		return printJSON(c.out, link)
	}
	if _, err := fmt.Fprintln(c.out, link.URL); err != nil {
		return err
	}
	fmt.Fprintf(c.err, "for one browser, until %s\n", link.Until.Local().Format(time.TimeOnly))
	return nil
}

// invite prints a sign-in link, if a person is there to see it: see firstToken.
func (h *host) invite(ctx context.Context, c console, server *api.Server) error {
	if h.sim == nil && !c.person {
		return nil
	}
	var scopes []access.Scope
	if h.sim != nil { // there are no real customers whose words would be shown
		scopes = access.Owner().Scopes
	}
	link, err := server.SignInLink(ctx, scopes)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "open it in a browser, once, until %s: %s\n", link.Until.Local().Format(time.TimeOnly), link.URL)
	fmt.Fprintf(c.out, "another link, while this runs: tapnode signin --data %s\n", h.dataDir)
	return nil
}
