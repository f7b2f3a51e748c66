//go:build race

package wasim_test

// The race detector ends a program of more than 8,128 goroutines, and client and server have about nine per connection.
const crowd = 300
