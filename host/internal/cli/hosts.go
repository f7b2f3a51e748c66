package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/cluster"
)

// hosts lists the hosts that share the database of a running host.
func hosts(ctx context.Context, c console, args []string) error {
	return plain("", listHosts).run(ctx, c, newFlags("hosts"), "hosts", args)
}

func listHosts(ctx context.Context, e errand) error {
	var all struct {
		Hosts []cluster.Host `json:"hosts"`
	}
	return e.list(ctx, v1("hosts"), nil, &all, func() error {
		w := e.table("ID\tNAME\tSTATE\tINSTANCES\tNODES\tVERSION\tADDRESS\tSTARTED")
		for _, h := range all.Hosts {
			state := "lives"
			switch {
			case !h.Lives:
				state = "gone"
			case h.Leaving:
				state = "leaving"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", printable(h.ID), printable(h.Name), state, len(h.Owns),
				printable(orDash(strings.Join(h.Nodes, ","))), printable(h.Version), printable(orDash(h.Address)), h.Started.Local().Format(time.DateTime))
		}
		return w.Flush()
	})
}

// moveInstance moves an instance to another host of the database.
func moveInstance(ctx context.Context, e errand) error {
	var to cluster.Host
	return e.change(ctx, http.MethodPost, v1("instances", e.args[0], "move"), map[string]string{"host": e.args[1]}, &to, func() error {
		return e.say("%s moves to %s (%s)", printable(e.args[0]), printable(to.Name), printable(to.ID))
	})
}
