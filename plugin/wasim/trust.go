package wasim

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"go.mau.fi/libsignal/logger"
	"go.mau.fi/whatsmeow"

	"github.com/tapnode/tapnode/plugin/wasim/internal/noise"
)

// theRoot signs every server of this process, because a process trusts one root: whatsmeow keeps it in a package
// variable. So several servers can be used side by side.
var theRoot = sync.OnceValue(noise.NewRoot)

var trusting sync.Mutex

// Trust makes every whatsmeow client of this process accept its simulators instead of WhatsApp: it sets
// whatsmeow.WACertPubKey. Call it before the first client connects.
func (s *Server) Trust() {
	trusting.Lock()
	defer trusting.Unlock()
	if whatsmeow.WACertPubKey != s.root.Public() { // else clients may be reading it
		whatsmeow.WACertPubKey = s.root.Public()
	}
}

// Attach leads a client's connections to this server, websocket and media alike. Call it before Connect, and after
// any SetProxy.
func (s *Server) Attach(cli *whatsmeow.Client) {
	cli.SetPreLoginHTTPClient(s.client)
	cli.SetWebsocketHTTPClient(s.client)
	cli.SetMediaHTTPClient(s.client)
}

// HTTPClient returns a client whose every request, whatever its URL, ends at this server.
func (s *Server) HTTPClient() *http.Client { return s.client }

// clientFor dials address for every host. A TLS dial gives a bare connection too, so https URLs are spoken in plain.
func clientFor(address string) *http.Client {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DialTLSContext: dial, IdleConnTimeout: time.Minute}}
}

// libsignal prints to standard output until it is given a logger, which must happen before the first session: at
// once. A program that wants its lines sets its own, which stays.
func init() {
	if logger.Logger == nil {
		logger.Logger = silent{}
	}
}

type silent struct{}

func (silent) Debug(string, string)   {}
func (silent) Info(string, string)    {}
func (silent) Warning(string, string) {}
func (silent) Error(string, string)   {}
func (silent) Configure(string)       {}
