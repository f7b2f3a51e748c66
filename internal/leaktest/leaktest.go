// Package leaktest checks at the end of a package's tests that no goroutine is left, also where
// whatsmeow has run.
//
// Some goroutines of whatsmeow stay for a while when a client is disconnected at the wrong moment,
// above all on a busy machine: one that waits for the answer to its handshake stays for 20 s
// (NoiseHandshakeResponseTimeout), one that waits for the answer to a request for 75 s
// (defaultRequestTimeout in request.go). The check waits for them. One goroutine stays for good and
// is ignored: a reader with a frame for which nobody waits any more.
package leaktest

import (
	"time"

	"go.uber.org/goleak"
)

// patience is longer than whatsmeow waits for anything.
const patience = 100 * time.Second

// Main runs the tests of m, and fails them if goroutines are left. At the end cleanup is called
// with the exit code; if it is nil, Main exits with that code.
func Main(m goleak.TestingM, cleanup func(code int)) {
	options := []goleak.Option{goleak.IgnoreAnyFunction("go.mau.fi/whatsmeow/socket.(*FrameSocket).frameComplete")}
	waits := waiting{m, options}
	if cleanup != nil {
		options = append(options, goleak.Cleanup(cleanup))
	}
	goleak.VerifyTestMain(waits, options...)
}

// waiting runs tests and then waits for their goroutines to end.
type waiting struct {
	goleak.TestingM
	options []goleak.Option
}

// Run runs the tests.
func (w waiting) Run() int {
	code := w.TestingM.Run()
	for end := time.Now().Add(patience); code == 0 && time.Now().Before(end); {
		if goleak.Find(w.options...) == nil { // Find itself retries for a moment
			break
		}
	}
	return code
}
