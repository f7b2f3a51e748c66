package sdk

import "context"

// Version of the SDK, in every manifest.
const Version = "0.1.0"

// Node is one binary: everything it offers and how its process is configured and closed.
type Node struct {
	Name    string // of the binary, e.g. "whatsapp-send-buttons"
	Version string // semantic version of the binary
	Title   string
	Summary string

	Settings   []byte   // JSON Schema 2020-12 of Setup.Settings; may be empty
	Operations []Offer  // in palette order
	Features   []string // beyond the base contract
	Health     *Board   // nil: the process is healthy once configured

	// Configure opens what the process needs. It is called once, with settings that are valid
	// against Settings; after an error it may be called again. It returns an [Invalid] problem for
	// settings it cannot accept. Optional.
	Configure func(ctx context.Context, setup Setup) error
	// Shared reports, for a process that was configured with Setup.Leased, whether processes of
	// other hosts use the same data, so that it must wait for Claim. Required with Claim.
	Shared func() bool
	// Claim makes the process act for a subject under a lease with an epoch, which is at least 1. A
	// problem with the code stale_epoch says that a higher epoch has claimed the subject, one with
	// not_found that there is no such subject. A node with Claim has FeatureLeases.
	Claim func(ctx context.Context, subject string, epoch uint64) error
	// Close releases what Configure opened. It is called at most once after each successful
	// Configure. Optional.
	Close func(ctx context.Context) error
}

// Setup is the configuration of a process.
type Setup struct {
	Settings []byte            // JSON, valid against Node.Settings
	Secrets  map[string][]byte // by JSON Pointer into the settings; never log them
	StateDir string            // the process's own directory, mode 0700; never empty
	Leased   bool              // see [Node.Claim]: if others use the data too, act only for subjects that were claimed
}

// FeatureLeases is the feature of a node that can share its data with other processes of it.
const FeatureLeases = "leases"

// Offer is an [Action], an [Operation] or a [Trigger].
type Offer interface {
	// Manifest describes the operation.
	Manifest() OperationManifest
	// bind returns the untyped handlers for the server.
	bind() handlers
}
