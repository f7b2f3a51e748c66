//go:build !race

package pool

const fleet = 500
