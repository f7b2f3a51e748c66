package pool

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"go.mau.fi/whatsmeow/socket"
)

// proxyError means that a proxy answered but refused the connection.
type proxyError struct{ status int }

// Error returns the proxy's status.
func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy answered %d %s", e.status, http.StatusText(e.status))
}

// askedProxy is http.Transport.OnProxyConnectResponse.
func askedProxy(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{answer.StatusCode}
}

// unreachable returns why a dial did not reach WhatsApp, and what to do. The message names no
// address, because a proxy's address is private.
func unreachable(err error) (code, message string) {
	var (
		op        *net.OpError
		proxy     *proxyError
		name      *net.DNSError
		status    socket.ErrWithStatusCode
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		timeout   net.Error
	)
	switch {
	case errors.As(err, &proxy) && proxy.status == http.StatusProxyAuthRequired:
		return codeUnreachable, "the proxy wants a user and a password (407); put them into HTTPS_PROXY"
	case errors.As(err, &proxy):
		return codeUnreachable, fmt.Sprintf("the proxy does not let the connection to WhatsApp through (%d); allow web.whatsapp.com:443 there, or change HTTPS_PROXY", proxy.status)
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return codeUnreachable, "the proxy cannot be reached; check HTTPS_PROXY and the network"
	case errors.As(err, &name):
		return codeUnreachable, "WhatsApp's name cannot be resolved; check DNS and the network"
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &invalid), errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return codeUntrusted, "who answers in WhatsApp's place has no valid certificate or speaks no TLS; check the clock, and look for a proxy or a firewall that opens TLS"
	case err != nil && strings.Contains(err.Error(), "verify server cert"): // whatsmeow has no error of its own for it
		return codeUntrusted, "the server that answers is not signed by the trusted root key; check server.rootKey, or look for a machine in between"
	case errors.Is(err, syscall.ECONNREFUSED):
		return codeUnreachable, "the connection was refused: nothing listens there; check server.url, the proxy and the firewall"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return codeUnreachable, "there is no way to WhatsApp's network; check the network"
	case errors.As(err, &status):
		return codeUnreachable, fmt.Sprintf("the server answers HTTP %d and opens no WebSocket; check server.url and the proxy", status.StatusCode)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.As(err, &timeout) && timeout.Timeout(),
		err != nil && strings.Contains(err.Error(), "timed out"):
		return codeUnreachable, "WhatsApp does not answer; check the network, the proxy and the firewall"
	}
	return codeUnreachable, "WhatsApp cannot be reached; check the network (" + redact(innermost(err)) + ")"
}

// innermost returns the text of the innermost wrapped error, because the outer ones name addresses.
func innermost(err error) string {
	for err != nil {
		inner := errors.Unwrap(err)
		if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 { //nolint:errorlint // this one layer
			all := joined.Unwrap()
			inner = all[len(all)-1]
		}
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
	return "no reason is known"
}
