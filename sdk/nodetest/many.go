//go:build !race

package nodetest

// many is how many members or elements the widest hostile documents have without -short.
const many = 100_000
