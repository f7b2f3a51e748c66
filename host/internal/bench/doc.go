// Package bench measures messages and clicks all the way from the host through the
// node binary to the simulated WhatsApp and back, against bare whatsmeow on the
// same simulator.
//
// Every figure is a ratio or a difference between arms that took turns in the same
// process, so that a busy machine slows all of them alike. Figures are medians with
// quartiles, and no test asserts a time. Every arm sends the same encoded message
// with the same stanza nodes to the same account. The same code also runs in
// miniature as an ordinary test.
//
// docs/performance.md and docs/performance-runs.md explain the figures; make bench prints them.
package bench
