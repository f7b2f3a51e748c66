package wasim

import (
	"net/http"

	"github.com/tapnode/tapnode/plugin/wasim/internal/jsonapi"
)

func (s *Server) faultEndpoints() []jsonapi.Endpoint {
	return []jsonapi.Endpoint{
		{Method: "GET", Path: "faults", Summary: "list the fault rules in the order they are asked, with their hits", Curl: "$SIM/faults",
			Handle: func(*jsonapi.Request) (any, error) { return s.Faults(), nil }},
		{Method: "POST", Path: "faults", Summary: "add a fault rule",
			Curl:   `$SIM/faults -d '{"match":{"stage":"message","recipient":"5511900000002"},"times":1,"action":{"ackError":{"code":479}}}'`,
			Handle: s.addFault},
		{Method: "DELETE", Path: "faults/{id}", Summary: "delete a fault rule", Curl: "-X DELETE $SIM/faults/f1", Handle: s.deleteFault},
		{Method: "DELETE", Path: "faults", Summary: "delete all fault rules", Curl: "-X DELETE $SIM/faults",
			Handle: func(*jsonapi.Request) (any, error) { s.ClearFaults(); return nil, nil }},
	}
}

func (s *Server) addFault(r *jsonapi.Request) (any, error) {
	var rule FaultRule
	if err := r.Decode(&rule); err != nil {
		return nil, err
	}
	id, err := s.AddFault(rule)
	if err != nil {
		return nil, err
	}
	return jsonapi.Created{Value: struct {
		ID string `json:"id"`
	}{id}}, nil
}

func (s *Server) deleteFault(r *jsonapi.Request) (any, error) {
	if !s.DeleteFault(r.PathValue("id")) {
		return nil, jsonapi.Refuse(http.StatusNotFound, "no fault rule has this id; GET %sfaults lists them", ControlPath)
	}
	return nil, nil
}
