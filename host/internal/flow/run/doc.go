// Package run is the interpreter of flows: from a State and an Event, Apply
// computes the next State and the Effects to carry out.
//
// The package is pure. It does no I/O, reads no clock, starts no goroutine and
// draws no random number: equal arguments give equal results, which is what lets
// a host replay a run. A State survives a round trip through JSON unchanged.
//
// # What it guarantees
//
//   - A wait is armed in the same transition that asks for the message to be
//     sent.
//   - Of several answers to one wait, a timeout and a cancellation, the first
//     event applied ends it; what comes later follows the wait's late policy
//     and leaves a trace. An answer on a port the message did not offer is
//     refused.
//   - An effect whose outcome is unknown is repeated only under the same
//     idempotency key, and only if the operation keeps one effect per key.
//   - A node with join all is entered when no other branch can come, and one with join
//     any once per round: no branch waits for one that never comes.
//   - What is to happen by itself, and when, follows from the State alone.
//   - A run ends: visits, state size, attempts and the length of every wait are
//     bounded, and running into a bound fails the run with a code that names it.
package run
