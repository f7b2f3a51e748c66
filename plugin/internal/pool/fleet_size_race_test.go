//go:build race

package pool

// The race detector makes pairing ten times slower; a smaller fleet has the same races.
const fleet = 40
