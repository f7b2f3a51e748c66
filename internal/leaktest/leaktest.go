// Package leaktest ends the tests of a package in which whatsmeow has run: no goroutine may be left then.
//
// Of whatsmeow's own some stay for a while when a client is disconnected at the wrong moment, on a busy machine above all:
// one that waits for the answer to its handshake for 20 s (NoiseHandshakeResponseTimeout), one that has just asked
// something for 75 s (defaultRequestTimeout in request.go). They are waited for. One stays for good, and is overlooked: a
// reader with a frame for which nobody waits any more.
package leaktest

import (
	"time"

	"go.uber.org/goleak"
)

// patience is longer than whatsmeow waits for anything.
const patience = 100 * time.Second

// Main runs the tests of m, and fails them if goroutines are left. cleanup is called at the end, with the code to exit
// with; nil exits.
func Main(m goleak.TestingM, cleanup func(code int)) {
	options := []goleak.Option{goleak.IgnoreAnyFunction("go.mau.fi/whatsmeow/socket.(*FrameSocket).frameComplete")}
	waits := waiting{m, options}
	if cleanup != nil {
		options = append(options, goleak.Cleanup(cleanup))
	}
	goleak.VerifyTestMain(waits, options...)
}

// waiting is tests that are over when their goroutines are.
type waiting struct {
	goleak.TestingM
	options []goleak.Option
}

// Run runs the tests.
func (w waiting) Run() int {
	code := w.TestingM.Run()
	for end := time.Now().Add(patience); code == 0 && time.Now().Before(end); {
		if goleak.Find(w.options...) == nil { // it tries for a moment itself
			break
		}
	}
	return code
}
