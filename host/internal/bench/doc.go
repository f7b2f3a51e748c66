// Package bench measures the whole way of a message and of a click, from the host
// through the node binary to the simulated WhatsApp and back, against bare
// whatsmeow on the same simulator.
//
// What it guarantees: every figure is a ratio or a difference between arms that
// ran in the same process, round by round in turn, so that a busy machine slows
// all of them; medians with their quartiles; no assertion on a time. Every arm
// sends the same encoded message with the same stanza nodes to the same account.
// The same code runs in miniature as an ordinary test.
//
// docs/performance.md and docs/performance-runs.md explain the figures; make bench prints them.
package bench
