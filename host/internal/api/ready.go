package api

import "net/http"

// Readiness is the answer of GET /readyz, which needs no token: whether the host takes work and can store
// it, and the state of its nodes. It contains no phone numbers.
type Readiness struct {
	Ready  bool            `json:"ready"`
	Reason string          `json:"reason,omitempty"` // why not
	Nodes  []NodeReadiness `json:"nodes"`
}

// NodeReadiness is the state of one node's process.
type NodeReadiness struct {
	Name      string              `json:"name"`
	State     string              `json:"state"` // process.State
	Reason    string              `json:"reason,omitempty"`
	Instances []InstanceReadiness `json:"instances,omitempty"`
}

// InstanceReadiness is the state of a resource that a node manages, such as a WhatsApp instance.
type InstanceReadiness struct {
	Name   string `json:"name"`
	State  string `json:"state"`            // starting, healthy, degraded, unhealthy
	Reason string `json:"reason,omitempty"` // a code
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	r := Readiness{Ready: true, Nodes: []NodeReadiness{}}
	if s.opt.Ready != nil {
		r = s.opt.Ready()
	}
	status := http.StatusOK
	if !r.Ready {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	write(w, status, r)
}
