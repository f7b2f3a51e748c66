package cluster

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"time"
)

// peerName is the DNS name in every host's certificate.
const peerName = "host.tapnode.internal"

// peers calls the other hosts of the database and serves their calls to this one.
type peers struct {
	member *Member
	server *http.Server
	client *http.Client
}

func newPeers(secret []byte, m *Member) (*peers, error) {
	config, err := mutual(secret)
	if err != nil {
		return nil, err
	}
	dialer := &tls.Dialer{Config: config}
	p := &peers{member: m, client: &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, dialTime)
			defer cancel()
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, &undialled{err}
			}
			return conn, nil
		},
		// A host that hangs or is cut off holds up no call for longer than this.
		HTTP2: &http.HTTP2Config{SendPingTimeout: dialTime, PingTimeout: dialTime},
	}}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /call", p.serveCall)
	p.server = &http.Server{
		Handler: mux, TLSConfig: config.Clone(), ReadHeaderTimeout: dialTime, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelDebug),
	}
	return p, nil
}

// undialled means that no connection was made, so nothing has left this host.
type undialled struct{ error }

func (e *undialled) Unwrap() error { return e.error }

// listen begins to serve, and returns the address at which other hosts reach this one.
func (p *peers) listen(ctx context.Context, listen, address string) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return "", fmt.Errorf("listen for the other hosts: %w", err)
	}
	if address == "" {
		tcp, ok := l.Addr().(*net.TCPAddr)
		if ok && tcp.IP.IsUnspecified() {
			return "", errors.Join(fmt.Errorf("other hosts cannot call this one at %s: say with --peer-address by which address they reach it", listen), l.Close())
		}
		address = l.Addr().String()
	}
	go func() {
		if err := p.server.ServeTLS(l, "", ""); err != nil && !errors.Is(err, http.ErrServerClosed) {
			p.member.log.Error("other hosts cannot call this one any more", "err", err)
		}
	}()
	return address, nil
}

func (p *peers) stop(ctx context.Context) error {
	p.client.CloseIdleConnections()
	if err := p.server.Shutdown(ctx); err != nil {
		return errors.Join(err, p.server.Close())
	}
	return nil
}

// mutual configures TLS between the holders of the secret. The key of the certificate authority is derived
// from the secret, so each host signs its own certificate, which lasts as long as its process.
func mutual(secret []byte) (*tls.Config, error) {
	seed, err := hkdf.Key(sha256.New, secret, nil, "tapnode/peers/v1", ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	authority := ed25519.NewKeyFromSeed(seed)
	// The hosts' clocks may differ, and a certificate is never stored.
	always := x509.Certificate{NotBefore: time.Unix(0, 0), NotAfter: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)}
	ca := always
	ca.SerialNumber, ca.Subject = big.NewInt(1), pkix.Name{CommonName: "the hosts of one database"}
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	raw, err := x509.CreateCertificate(rand.Reader, &ca, &ca, authority.Public(), authority)
	if err != nil {
		return nil, err
	}
	root, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, err
	}
	own := always
	own.SerialNumber, own.Subject, own.DNSNames = serial, pkix.Name{CommonName: "a host"}, []string{peerName}
	own.KeyUsage, own.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	raw, err = x509.CreateCertificate(rand.Reader, &own, root, public, authority)
	if err != nil {
		return nil, err
	}
	all := x509.NewCertPool()
	all.AddCert(root)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: private}},
		RootCAs: all, ClientCAs: all, ClientAuth: tls.RequireAndVerifyClientCert, ServerName: peerName, NextProtos: []string{"h2"},
	}, nil
}
