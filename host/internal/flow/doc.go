// Package flow reads a flow file, checks it, and compiles it into the parts that a
// run is made of.
//
// Load turns YAML or JSON into a Flow, within limits, checks it against a
// Catalogue of operations, reports every finding at once, and returns a Program:
// nodes, edges and compiled expressions. Package run decides what happens next in a
// run.
//
// The package is pure. It does no I/O except reading time zone tables, reads no clock,
// starts no goroutine and draws no random number: equal arguments give equal results.
//
// # What it guarantees
//
//   - A part of a file that cannot be read or understood is a finding with its place
//     and what to do about it; nothing is ignored silently.
//   - A Program has no edge to a missing node or from a port that its node does not
//     have, no cycle that never waits, and no two joins that wait for each other.
//   - An expression is charged for its work before it does it, and the total cost of
//     one node's expressions is bounded.
package flow
