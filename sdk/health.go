package sdk

import "time"

// HealthState grades a subject.
type HealthState string

// The states of flownode.v1.
const (
	Starting  HealthState = "STARTING"  // not ready yet
	Healthy   HealthState = "HEALTHY"   // works
	Degraded  HealthState = "DEGRADED"  // works partly, or comes back by itself
	Unhealthy HealthState = "UNHEALTHY" // does not work until somebody acts
)

// Health is the state of one subject: the process ("") or what the node looks
// after, e.g. a WhatsApp instance.
type Health struct {
	Subject string      `json:"subject"`
	State   HealthState `json:"state"`
	Reason  string      `json:"reason,omitempty"`  // stable, snake_case
	Message string      `json:"message,omitempty"` // what is the matter and what to do
	Since   time.Time   `json:"since"`
	Removed bool        `json:"removed,omitempty"` // the subject is gone
}
