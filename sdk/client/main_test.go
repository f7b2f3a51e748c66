package client_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/tapnode/tapnode/sdk"
)

// TestMain makes the test binary act as a node binary when a host starts it.
func TestMain(m *testing.M) {
	if os.Getenv(sdk.HandshakeCookieKey) != "" {
		sdk.Main(shouter)
	}
	goleak.VerifyTestMain(m)
}
