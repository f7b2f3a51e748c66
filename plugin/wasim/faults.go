package wasim

import "github.com/tapnode/tapnode/plugin/wasim/internal/faults"

// Faults: what the server does wrong on purpose. A rule says where and what; see FaultMatch and Fault for the choices.
type (
	// FaultRule is one misbehaviour. Its JSON has the same form as the Go type.
	FaultRule = faults.Rule
	// FaultMatch narrows a rule to a stage, an account, a recipient, a message id, a type, a turn or a chance.
	FaultMatch = faults.Match
	// Fault is what a matching rule does.
	Fault = faults.Action
	// FaultEvent is the event that rules are matched against.
	FaultEvent = faults.Event
	// FaultStatus is a rule with its counters.
	FaultStatus = faults.Status
	// FaultStage is a point at which rules are evaluated.
	FaultStage = faults.Stage
	// AckError refuses a message in its ack.
	AckError = faults.AckError
	// IQError refuses a query.
	IQError = faults.IQError
	// LoginFailure refuses a login.
	LoginFailure = faults.LoginFailure
	// StreamError ends a connection with a code.
	StreamError = faults.StreamError
	// FaultDuration is a time span in a rule.
	FaultDuration = faults.Duration
)

// The stages, and the sides of a stage on which Fault.Disconnect closes the connection.
const (
	StageHandshake = faults.Handshake
	StageLogin     = faults.Login
	StageIQ        = faults.IQ
	StageMessage   = faults.Message
	StageDelivery  = faults.Delivery
	StageMedia     = faults.Media

	// FaultTypeButtons is FaultMatch.Type for messages that carry buttons.
	FaultTypeButtons = faults.TypeButtons

	Before = faults.Before
	After  = faults.After
)

const maxFaults = 1_000

// AddFault appends a rule and returns its id. An invalid rule is refused with the place of the mistake.
func (s *Server) AddFault(r FaultRule) (string, error) { return s.faults.Add(r) }

// DeleteFault removes a rule and reports whether it was there.
func (s *Server) DeleteFault(id string) bool { return s.faults.Delete(id) }

// ClearFaults removes every rule.
func (s *Server) ClearFaults() { s.faults.Clear() }

// Faults lists the rules in the order they are evaluated, with their counters.
func (s *Server) Faults() []FaultStatus { return s.faults.List() }

// fault calls Options.OnFault, then evaluates the rules.
func (s *Server) fault(ev FaultEvent) Fault {
	if s.opts.OnFault != nil {
		if f := s.opts.OnFault(ev); f != (Fault{}) {
			return f
		}
	}
	f, _ := s.faults.Match(ev)
	return f
}
