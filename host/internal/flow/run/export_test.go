package run

// The bounds of a run, for tests.
const (
	MaxVisits = maxVisits
	MaxState  = maxState
)
