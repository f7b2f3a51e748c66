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

// theRoot signs for every server of this process, so that several servers can run at the same time: a process can
// trust only one root, because whatsmeow keeps it in a package variable.
var theRoot = sync.OnceValue(noise.NewRoot)

var trusting sync.Mutex

// Trust makes every whatsmeow client of this process accept its simulators instead of WhatsApp: it sets
// whatsmeow.WACertPubKey. Call it before the first client connects.
func (s *Server) Trust() {
	trusting.Lock()
	defer trusting.Unlock()
	if whatsmeow.WACertPubKey != s.root.Public() { // no needless write: clients may be reading the variable
		whatsmeow.WACertPubKey = s.root.Public()
	}
}

// Attach directs a client's connections, websocket and media, to this server. Call it before Connect, and after
// any SetProxy.
func (s *Server) Attach(cli *whatsmeow.Client) {
	cli.SetPreLoginHTTPClient(s.client)
	cli.SetWebsocketHTTPClient(s.client)
	cli.SetMediaHTTPClient(s.client)
}

// HTTPClient returns a client that sends every request to this server, whatever its URL.
func (s *Server) HTTPClient() *http.Client { return s.client }

// clientFor dials address for every host. A TLS dial returns a plain connection too, so https URLs are served
// without TLS.
func clientFor(address string) *http.Client {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DialTLSContext: dial, IdleConnTimeout: time.Minute}}
}

// libsignal prints to standard output until it is given a logger, which must happen before the first session,
// hence in init. A program that wants the log sets its own logger, which is kept.
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
