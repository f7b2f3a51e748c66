package wasim

import (
	"context"
	"net"
	"net/http"
	"time"

	"go.mau.fi/libsignal/logger"
	"go.mau.fi/whatsmeow"
)

// Trust makes every whatsmeow client of this process accept this server instead of WhatsApp: it sets
// whatsmeow.WACertPubKey. Call it before the first client connects.
func (s *Server) Trust() { whatsmeow.WACertPubKey = s.root.Public() }

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
// once. A program that wants its lines sets its own.
func init() {
	var quiet logger.Loggable = silent{}
	logger.Setup(&quiet)
}

type silent struct{}

func (silent) Debug(string, string)   {}
func (silent) Info(string, string)    {}
func (silent) Warning(string, string) {}
func (silent) Error(string, string)   {}
func (silent) Configure(string)       {}
