//go:build race

package nodetest

// many is a tenth of its full size: every operation gets these documents three times, and the race
// detector makes each take ten times as long.
const many = 10_000
