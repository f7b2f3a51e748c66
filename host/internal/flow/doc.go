// Package flow is the meaning of a flow file: reading it, checking it, and the
// parts that a run of it is made of.
//
// Load turns YAML or JSON into a Flow, within limits, checks it against a
// Catalogue of operations, reports every finding at once, and returns a Program:
// nodes, edges and compiled expressions. What happens next in a run is decided by
// package run.
//
// The package is pure. It does no I/O but for the tables of time zones, reads no clock,
// starts no goroutine and draws no random number: equal arguments give equal results.
//
// # What it guarantees
//
//   - What it cannot read or does not understand is a finding with its place and
//     what to do, never silence.
//   - A Program has no edge that leads nowhere, no port its node does not have,
//     no circle that never waits, and no two joins that wait for one another.
//   - An expression pays for its work before it does it, and what the expressions
//     of one node may cost together is bounded.
package flow
