//go:build race

package nodetest

// many is a tenth of its full size: every operation gets these documents three times,
// and the race detector makes each ten times as slow.
const many = 10_000
