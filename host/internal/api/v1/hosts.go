package v1

import (
	"context"
	"errors"
	"net/http"

	"github.com/tapnode/tapnode/host/internal/cluster"
)

// Hosts are the hosts that share a database, this one included.
type Hosts interface {
	// Hosts returns every host that has reported within the last day; a host that shares with no other
	// returns itself alone.
	Hosts(ctx context.Context) ([]cluster.Host, error)
	// MoveInstance moves an instance to the host with the given id or name. cluster.ErrUnknown: there is
	// no such instance, or no such host that can take it.
	MoveInstance(ctx context.Context, instance, host string) (cluster.Host, error)
}

type hostList struct {
	Hosts []cluster.Host `json:"hosts" nullable:"false"`
}

type moveTo struct {
	_    struct{} `additionalProperties:"false"`
	Host string   `json:"host" minLength:"1" maxLength:"253" doc:"The id of a host, or its name if one host has it."`
}

func (a *API) hosts(h Hosts) {
	serve(a, route{
		method: http.MethodGet, path: "/v1/hosts", id: "listHosts", tag: "nodes", summary: "The hosts that share the database",
		about: "Those that were heard of in the last day; a host with a database of its own is the only one.", access: Access{Read, All},
	}, func(ctx context.Context, _ *struct{}) (*one[hostList], error) {
		hosts, err := h.Hosts(ctx)
		if err != nil {
			return nil, a.failed(err)
		}
		return &one[hostList]{hostList{hosts}}, nil
	})
	serve(a, route{
		method: http.MethodPost, path: "/v1/instances/{instance}/move", id: "moveInstance", tag: "instances", summary: "Move an instance to another host",
		about:  "Answers with that host. The instance logs in there within seconds; calls wait, and nothing is lost.",
		access: Access{Manage, All}, body: smallBody, example: `{"host":"machine-2"}`, refusals: []int{http.StatusNotFound, http.StatusServiceUnavailable},
	}, func(ctx context.Context, in *struct {
		Instance string `path:"instance" example:"demo"`
		strict[moveTo]
	}) (*one[cluster.Host], error) {
		to, err := h.MoveInstance(ctx, in.Instance, in.in.Host)
		switch {
		case errors.Is(err, cluster.ErrUnknown):
			return nil, refuse(http.StatusNotFound, "unknown_host", "the instance cannot be moved there: "+err.Error())
		case err != nil:
			return nil, a.failed(err)
		}
		return &one[cluster.Host]{to}, nil
	})
}
