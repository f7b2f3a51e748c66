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
//   - When answers, a timeout and a cancellation compete for one wait, the first
//     event applied ends it; a later answer follows the wait's late policy and
//     leaves a trace. An answer on a port that the message did not offer is
//     refused.
//   - An effect whose outcome is unknown is repeated only under the same
//     idempotency key, and only if the operation keeps one effect per key.
//   - A node with join all is entered when no further branch can arrive, and a node with
//     join any once per round: no branch waits for another that never arrives.
//   - The pending calls, retries and timeouts of a run, and the times at which they are
//     due, follow from the State alone.
//   - A run ends: visits, state size, attempts and the length of every wait are
//     bounded, and exceeding a bound fails the run with a code that names it.
package run
