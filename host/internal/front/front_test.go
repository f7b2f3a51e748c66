package front

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func deny(w http.ResponseWriter, _ *http.Request, status int, _, message string) {
	http.Error(w, message, status)
}

// certificate writes one for bot.example and 127.0.0.1 into dir and returns its serial number.
func certificate(t *testing.T, dir string) (certFile, keyFile string, serial *big.Int) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	like := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "bot.example"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"bot.example", "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, like, like, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	return certFile, keyFile, serial
}

// write replaces a file as programs that renew certificates do.
func write(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestWhatMayBeListenedOn: what is not loopback needs names, and TLS or a proxy.
func TestWhatMayBeListenedOn(t *testing.T) {
	cert, key, _ := certificate(t, t.TempDir())
	for _, c := range []struct {
		opt  Options
		says string // "" is taken
	}{
		{Options{Listen: "127.0.0.1:0"}, ""},
		{Options{Listen: "[::1]:0"}, ""},
		{Options{Listen: "localhost:0"}, ""},
		{Options{Listen: "127.0.0.1:0", CertFile: cert, KeyFile: key}, ""},
		{Options{Listen: "127.0.0.1:0", Hosts: []string{"bot.example"}, Proxies: []string{"127.0.0.1"}}, ""},
		{Options{Listen: ":8080"}, "--host"},
		{Options{Listen: "0.0.0.0:8080"}, "--host"},
		{Options{Listen: "192.0.2.1:8080"}, "--host"},
		{Options{Listen: "bot.example:8080"}, "--host"},
		{Options{Listen: ":8080", Hosts: []string{"bot.example"}}, "--behind-proxy"},
		{Options{Listen: ":8080", CertFile: cert, KeyFile: key}, "--host"},
		{Options{Listen: ":8080", Proxies: []string{"10.0.0.0/8"}}, "--host"},
		{Options{Listen: ":8080", Hosts: []string{"bot.example"}, CertFile: cert}, "--tls-key"},
		{Options{Listen: ":8080", Hosts: []string{"bot.example"}, CertFile: cert, KeyFile: key}, ""},
		{Options{Listen: ":8080", Hosts: []string{"bot.example", "192.0.2.1", "2001:db8::1", "a_b.example."}, Proxies: []string{"10.0.0.0/8", "2001:db8::/32", "::1"}}, ""},
		{Options{Listen: "127.0.0.1:0", CertFile: cert, KeyFile: cert}, "TLS with"},
		{Options{Listen: "127.0.0.1:0", CertFile: cert + "x", KeyFile: key}, "no such file"},
		{Options{Listen: "8080"}, "host:port"},
		{Options{Listen: "127.0.0.1:http"}, "host:port"},
		{Options{Listen: "127.0.0.1:0", Hosts: []string{"https://bot.example"}}, "without scheme"},
		{Options{Listen: "127.0.0.1:0", Hosts: []string{"*.example"}}, "without scheme"},
		{Options{Listen: "127.0.0.1:0", Hosts: []string{"bot.example:443"}}, "without scheme"},
		{Options{Listen: "127.0.0.1:0", Hosts: []string{""}}, "without scheme"},
		{Options{Listen: "127.0.0.1:0", Proxies: []string{"proxy.example"}}, "prefix"},
		{Options{Listen: "127.0.0.1:0", Proxies: []string{"10.0.0.0/33"}}, "prefix"},
	} {
		_, err := New(c.opt)
		if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.opt, err, c.says)
		}
	}
}

// TestHandler: which requests come through, and as whose.
func TestHandler(t *testing.T) {
	handler := func(opt Options) http.Handler {
		opt.Deny = deny
		f, err := New(opt)
		if err != nil {
			t.Fatal(err)
		}
		return f.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			here := ""
			if IsHere(r) {
				here = " here"
			}
			_, _ = io.WriteString(w, Sender(r).String()+here)
		}))
	}
	local := handler(Options{Listen: "127.0.0.1:0"})
	public := handler(Options{Listen: ":0", Hosts: []string{"Bot.Example", "192.0.2.80"}, Proxies: []string{"10.0.0.0/24", "2001:db8::/64", "127.0.0.9"}})
	for _, c := range []struct {
		name       string
		h          http.Handler
		host, peer string
		header     []string
		status     int
		body       string
	}{
		{"local", local, "localhost:8080", "127.0.0.1:5", nil, 200, "127.0.0.1 here"},
		{"local by address", local, "[::1]:8080", "[::1]:5", nil, 200, "::1 here"},
		{"rebinding", local, "evil.example:8080", "127.0.0.1:5", nil, 403, ""},
		{"no host", local, "", "127.0.0.1:5", nil, 403, ""},
		{"almost loopback", local, "127.0.0.1.evil.example", "127.0.0.1:5", nil, 403, ""},
		{"not through a proxy, but marked", local, "localhost", "127.0.0.1:5", []string{"X-Forwarded-For", "203.0.113.7"}, 200, "127.0.0.1"},
		{"proxy", public, "bot.example", "10.0.0.2:5", []string{"X-Forwarded-For", "203.0.113.7"}, 200, "203.0.113.7"},
		{"other case, a dot and a port", public, "BOT.example.:443", "10.0.0.2:5", []string{"X-Forwarded-For", "203.0.113.7"}, 200, "203.0.113.7"},
		{"host by address", public, "192.0.2.80", "10.0.0.2:5", []string{"X-Forwarded-For", "203.0.113.7"}, 200, "203.0.113.7"},
		{"client's own invention before it", public, "bot.example", "10.0.0.2:5", []string{"X-Forwarded-For", "127.0.0.1, 198.51.100.1, 203.0.113.7"}, 200, "203.0.113.7"},
		{"in two headers", public, "bot.example", "10.0.0.2:5", []string{"X-Forwarded-For", "127.0.0.1", "X-Forwarded-For", "203.0.113.7"}, 200, "203.0.113.7"},
		{"a chain of proxies", public, "bot.example", "10.0.0.2:5", []string{"X-Forwarded-For", "198.51.100.1, 203.0.113.7, 10.0.0.3"}, 200, "203.0.113.7"},
		{"with a port", public, "bot.example", "[2001:db8::2]:5", []string{"X-Forwarded-For", "[2001:db8:1::7]:1234"}, 200, "2001:db8:1::7"},
		{"mapped proxy", public, "bot.example", "[::ffff:10.0.0.2]:5", []string{"X-Forwarded-For", "203.0.113.7"}, 200, "203.0.113.7"},
		{"nonsense", public, "bot.example", "10.0.0.2:5", []string{"X-Forwarded-For", "203.0.113.7, unknown"}, 200, "10.0.0.2"},
		{"says nothing", public, "bot.example", "10.0.0.2:5", nil, 200, "10.0.0.2"},
		{"says it is from here", public, "bot.example", "127.0.0.9:5", []string{"X-Forwarded-For", "127.0.0.1"}, 200, "127.0.0.1"},
		{"a stranger who says he is a proxy", public, "bot.example", "203.0.113.66:5", []string{"X-Forwarded-For", "127.0.0.1"}, 403, ""},
		{"a stranger", public, "bot.example", "203.0.113.66:5", nil, 403, ""},
		{"a stranger who asks for localhost", public, "localhost", "203.0.113.66:5", nil, 403, ""},
		{"another name", public, "evil.example", "10.0.0.2:5", []string{"X-Forwarded-For", "203.0.113.7"}, 403, ""},
		{"X-Forwarded-Host is no name", public, "evil.example", "10.0.0.2:5", []string{"X-Forwarded-Host", "bot.example"}, 403, ""},
		{"health check on this machine", public, "127.0.0.1:8080", "127.0.0.1:5", nil, 200, "127.0.0.1 here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Host, r.RemoteAddr = c.host, c.peer
			for i := 0; i < len(c.header); i += 2 {
				r.Header.Add(c.header[i], c.header[i+1])
			}
			w := httptest.NewRecorder()
			c.h.ServeHTTP(w, r)
			if w.Code != c.status || c.status == 200 && w.Body.String() != c.body {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, c.status, c.body)
			}
		})
	}
	for proto, want := range map[string]string{"https": "max-age=31536000", "http": "", "https, http": "", "": ""} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host, r.RemoteAddr = "bot.example", "10.0.0.2:5"
		r.Header.Set("X-Forwarded-Proto", proto)
		w := httptest.NewRecorder()
		public.ServeHTTP(w, r)
		if got := w.Header().Get("Strict-Transport-Security"); got != want {
			t.Errorf("proto %q: %q", proto, got)
		}
	}
}

// serve answers with the name of the protocol until the test ends.
func serve(t *testing.T, opt Options) (url string, f *Front) {
	t.Helper()
	opt.Deny, opt.Logger = deny, slog.New(slog.DiscardHandler)
	f, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	l, err := f.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler:           f.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })),
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return f.URL(l), f
}

// TestTLS: certificates are reloaded when they change, and half of a change is not taken up.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, first := certificate(t, dir)
	url, f := serve(t, Options{Listen: "127.0.0.1:0", Hosts: []string{"bot.example"}, CertFile: cert, KeyFile: key})
	if !strings.HasPrefix(url, "https://127.0.0.1:") {
		t.Fatal(url)
	}
	shown := func() *big.Int {
		t.Helper()
		f.pair.mu.Lock()
		f.pair.looked = time.Time{} // a second has passed
		f.pair.mu.Unlock()
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // it looks which one it is
		conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber
	}
	if shown().Cmp(first) != 0 {
		t.Fatal("not the certificate of the file")
	}
	old, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	_, _, second := certificate(t, dir)
	fresh, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, key, old)
	if shown().Cmp(first) != 0 {
		t.Error("a certificate without its key was taken up")
	}
	write(t, key, fresh)
	if shown().Cmp(second) != 0 {
		t.Error("a new certificate was not taken up")
	}
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	if shown().Cmp(second) != 0 {
		t.Error("without a file there is no certificate")
	}
	certificate(t, dir)

	pool := x509.NewCertPool()
	f.pair.mu.Lock()
	f.pair.looked = time.Time{}
	f.pair.mu.Unlock()
	raw, err := os.ReadFile(cert)
	if err != nil || !pool.AppendCertsFromPEM(raw) {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	ask := func(host string) (int, string, http.Header) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body), res.Header
	}
	if status, body, h := ask("bot.example"); status != 200 || body != "HTTP/2.0" || h.Get("Strict-Transport-Security") == "" {
		t.Errorf("%d %s %v", status, body, h)
	}
	if status, _, _ := ask("other.example"); status != http.StatusMisdirectedRequest {
		t.Errorf("another name over TLS: %d", status)
	}
	weak := tls.Dialer{Config: &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11}} //nolint:gosec // that is the point
	if conn, err := weak.DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "https://")); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 was taken")
	}
}

// TestPlaces: connections of one address are bounded, those of a proxy only in all, and a place is
// free again when a connection has ended.
func TestPlaces(t *testing.T) {
	proxy, client := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("203.0.113.7")
	p := newPlaces(nil, func(a netip.Addr) bool { return a == proxy })
	for range maxPerAddress {
		if !p.take(client) {
			t.Fatal("refused too early")
		}
	}
	if p.take(client) {
		t.Error("one address takes more than its places")
	}
	for range maxConnections - maxPerAddress {
		if !p.take(proxy) {
			t.Fatal("a proxy is held for one client")
		}
	}
	if other := netip.MustParseAddr("203.0.113.8"); p.take(other) || p.take(proxy) {
		t.Error("there are more than all")
	}
	p.leave(client)
	if !p.take(client) {
		t.Error("a place is not free again")
	}
	for range maxPerAddress {
		p.leave(client)
	}
	if len(p.each) != 1 {
		t.Errorf("%d addresses are remembered", len(p.each))
	}

	url, _ := serve(t, Options{Listen: "127.0.0.1:0"})
	for range 3 { // and a real one, which the server ends in order
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		raw, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(raw), "HTTP/1.1 200") {
			t.Errorf("%q %v", raw, err)
		}
		_ = conn.Close()
	}
}

// TestListenSaysWhatIsWrong names the flag.
func TestListenSaysWhatIsWrong(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := New(Options{Listen: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "--listen") {
		t.Errorf("a taken address: %v", err)
	}
}
