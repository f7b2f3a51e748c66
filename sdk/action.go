package sdk

import "context"

// Action is a step of a flow. In and Out are the Go shapes of the input and
// output schemas. It is the value an author writes; [Node.Operations] takes it.
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

	// Check reads and checks an input: the value, everything wrong with it, and
	// what may surprise. It gets the bytes as they came, at most 16 MiB, and so
	// decides how a broken document is answered. Without Check the input is held to the
	// contract's limits, validated against Input and decoded strictly into In.
	Check func(input []byte) (In, []Violation, []Warning)

	// Preview answers a dry run: the exact picture of what Run would do, without
	// doing it. Without Preview a dry run is Failed{code: "dry_run_unsupported"}.
	Preview func(ctx context.Context, call *Call, in In) (any, error)

	// Run does the work. It returns a *Problem to fail precisely.
	Run func(ctx context.Context, call *Call, in In) (Out, error)
}

// Operation is administration: like an Action, but not part of a flow.
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

// Call is one Execute: what the caller said about it, and the way back to him.
// Its methods are safe for concurrent use and do nothing after Run returned.
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

// Progress reports a stage of the work. data is marshalled to JSON, at most 256
// KiB, and may be nil. It never waits: of what a slow host has not read, the
// newest 64 reports are kept.
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
