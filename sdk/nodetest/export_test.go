package nodetest

import "time"

// Hurry makes the suite give up sooner, to test that it gives up.
func Hurry() { waitLimit, promiseLimit = 2*time.Second, 8*time.Second }
