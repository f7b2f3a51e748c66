package sdk

import "context"

// Action is a step of a flow, as its author writes it; [Node.Operations] takes it. In and Out are
// the Go types of the input and output schemas.
type Action[In, Out any] struct {
	ID      string // name@major, e.g. "demo.echo@1"
	Title   string
	Summary string
	Icon    string

	Input  []byte // JSON Schema 2020-12
	Output []byte // JSON Schema 2020-12

	Ports     []Port
	PortRules []PortRule
	Events    []EventType // events that answer the action later
	Replay    Replay      // empty means Unsafe
	HTTP      *Route

	// Check decodes and checks an input. It returns the value, everything wrong with the input, and
	// warnings about what may surprise. It gets the bytes as they came, at most 16 MiB, and so
	// decides how a broken document is answered. Without Check the input must keep the contract's
	// limits, is validated against Input and decoded strictly into In.
	Check func(input []byte) (In, []Violation, []Warning)

	// Preview answers a dry run: it describes exactly what Run would do, without doing it. Without
	// Preview a dry run is Failed{code: "dry_run_unsupported"}.
	Preview func(ctx context.Context, call *Call, in In) (any, error)

	// Run does the work. It returns a *Problem to fail precisely.
	Run func(ctx context.Context, call *Call, in In) (Out, error)
}

// Operation is an administrative call: like an Action, but not part of a flow.
type Operation[In, Out any] struct {
	ID      string
	Title   string
	Summary string
	Icon    string

	Input  []byte
	Output []byte

	Replay Replay
	HTTP   *Route

	// Check is [Action.Check].
	Check func(input []byte) (In, []Violation, []Warning)
	// Run is [Action.Run].
	Run func(ctx context.Context, call *Call, in In) (Out, error)
}

// Call is one Execute: what the caller said about it, and a way to report to the caller. Its
// methods are safe for concurrent use and do nothing once Run has returned.
type Call struct {
	Operation   string // operation id
	Key         string // idempotency key; never empty
	Correlation string // comes back on every event that answers this call
	DryRun      bool
	Traceparent string // W3C trace context, may be empty
	LeaseEpoch  uint64 // 0: not leased

	sink callSink
}

// callSink takes what a running call reports; the server sets it.
type callSink interface {
	progress(stage, message string, data any)
	warn(Warning)
	replayed()
}

// Progress reports a stage of the work. data is marshalled to JSON, at most 256 KiB, and may be
// nil. Progress never blocks: of the reports that a slow host has not read, the newest 64 are kept.
func (c *Call) Progress(stage, message string, data any) {
	if c.sink != nil {
		c.sink.progress(stage, message, data)
	}
}

// Warn adds a warning to the outcome, at most 100.
func (c *Call) Warn(w Warning) {
	if c.sink != nil {
		c.sink.warn(w)
	}
}

// Replayed marks the outcome as one stored by an earlier call with this key.
func (c *Call) Replayed() {
	if c.sink != nil {
		c.sink.replayed()
	}
}
