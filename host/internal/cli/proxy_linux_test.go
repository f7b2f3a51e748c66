package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// publicName is the host name in the recipes of deploy/.
const publicName = "bot.example.com"

// recipe returns a file of deploy/ with the parts replaced that differ on this machine. It must
// contain each old text.
func recipe(t *testing.T, name string, oldnew ...string) string {
	t.Helper()
	raw, err := os.ReadFile("../../../deploy/" + name)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("deploy/%s has no %q", name, oldnew[i])
		}
		text = strings.ReplaceAll(text, oldnew[i], oldnew[i+1])
	}
	return text
}

// TestNginx puts the recipe for nginx in front of a host.
func TestNginx(t *testing.T) {
	t.Parallel()
	program := needs(t, "nginx")
	throughProxy(t, func(dir, port, upstream, cert, key string) *exec.Cmd {
		server := recipe(t, "nginx.conf", "listen 443", "listen 127.0.0.1:"+port, "/etc/letsencrypt/live/bot.example.com/fullchain.pem", cert,
			"/etc/letsencrypt/live/bot.example.com/privkey.pem", key, "127.0.0.1:8080", upstream)
		user := ""
		if os.Geteuid() == 0 { // nginx's own user may not read the test's directory
			user = "user root;\n"
		}
		temp := ""
		for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			temp += fmt.Sprintf("%s_temp_path %s/%s;\n", kind, dir, kind)
		}
		conf := put(t, dir, "nginx.conf", user+"daemon off; pid "+dir+"/pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n"+temp+server+"}\n")
		return exec.CommandContext(t.Context(), program, "-e", "stderr", "-c", conf)
	})
}

// TestCaddy puts the recipe for Caddy in front of a host. The certificate is our own, since no
// authority would issue one for this name.
func TestCaddy(t *testing.T) {
	t.Parallel()
	program := needs(t, "caddy")
	throughProxy(t, func(dir, port, upstream, cert, key string) *exec.Cmd {
		site := recipe(t, "Caddyfile", publicName+" {", publicName+":"+port+" {\n\tbind 127.0.0.1\n\ttls "+cert+" "+key, "127.0.0.1:8080", upstream)
		conf := put(t, dir, "Caddyfile", "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"+site)
		cmd := exec.CommandContext(t.Context(), program, "run", "--config", conf, "--adapter", "caddyfile")
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
		return cmd
	})
}

// needs finds a program, or skips the test and names it.
func needs(t *testing.T, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	t.Skipf("%s is not installed; .ci/setup installs it", name)
	return ""
}

// throughProxy serves behind a real proxy and uses everything that a proxy could break.
func throughProxy(t *testing.T, proxy func(dir, port, upstream, cert, key string) *exec.Cmd) {
	dir := shortDir(t)
	cert, key, pool := publicCertificate(t, dir)
	data := filepath.Join(dir, "data")
	s := serveSimulated(t, "--data", data, "--host", publicName, "--behind-proxy", "127.0.0.1")
	phone := s.until(t, `people: (\d+)`)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	cmd := proxy(dir, port, strings.TrimPrefix(s.url, "http://"), cert, key)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Cancel()
		_ = cmd.Wait() // it was asked to end
		if t.Failed() {
			t.Logf("%s says:\n%s", cmd.Path, &out)
		}
	})

	// A client whose address differs from the proxy's.
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", "127.0.0.1:"+port)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	base := "https://" + publicName + ":" + port
	ask := func(method, path, body string, header ...string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := client.Do(req)
		if err != nil {
			return &http.Response{}, err.Error()
		}
		defer res.Body.Close()
		raw, _ := io.ReadAll(res.Body)
		return res, string(raw)
	}
	deadline(t, func() bool { // the proxy has started
		res, _ := ask("GET", "/healthz", "")
		return res.StatusCode == http.StatusOK
	})

	menu := `{"number":"` + phone + `","contentText":"Hello","buttons":[{"id":"yes","displayText":"Yes"}]}`
	if res, body := ask("POST", endpoint+"demo", menu, "token", s.token, "Origin", base); res.StatusCode != 200 || res.Header.Get("Strict-Transport-Security") == "" {
		t.Fatalf("a message: %d %s %v", res.StatusCode, body, res.Header)
	}
	if res, body := ask("POST", "/v1/tokens", `{"scopes":["read"]}`, "token", s.token, "X-Forwarded-For", "198.51.100.9", "X-Real-IP", "198.51.100.9", "Forwarded", "for=198.51.100.9"); res.StatusCode != 201 {
		t.Errorf("a token: %d %s", res.StatusCode, body)
	}
	if log := succeeds(t, "audit", "--data", data); !strings.Contains(log, "127.0.0.2") || strings.Contains(log, "198.51.100.9") {
		t.Errorf("the client's address is not that of its connection:\n%s", log)
	}
	for _, path := range []string{"/sim/v1/", "/metrics"} {
		if res, body := ask("GET", path, ""); res.StatusCode != 401 && res.StatusCode != 403 {
			t.Errorf("%s for everybody: %d %.200s", path, res.StatusCode, body)
		}
	}

	// follow reads a stream that does not end until a line has a text.
	follow := func(path, kind string) (until func(text string)) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		t.Cleanup(cancel)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("token", s.token)
		req.Header.Set("Accept", kind)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		lines := bufio.NewScanner(res.Body)
		return func(text string) {
			t.Helper()
			for !strings.Contains(lines.Text(), text) {
				if !lines.Scan() {
					t.Fatalf("%s ended before %q: %v", path, text, lines.Err())
				}
			}
		}
	}
	events := follow("/v1/events?type=whatsapp.button.clicked.v1", "text/event-stream")
	events("stream.opened.v1")
	conn, _, err := websocket.Dial(t.Context(), base+"/ws/demo", &websocket.DialOptions{HTTPClient: client, HTTPHeader: http.Header{"Token": {s.token}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	if status, body := s.do(t, "POST", "/sim/v1/phones/"+phone+"/click?wait=10s", `{"buttonId":"yes"}`); status >= 300 {
		t.Fatalf("click: %d %s", status, body)
	}
	for event := ""; !strings.Contains(event, `"selectedButtonId":"yes"`); {
		_, raw, err := conn.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		event = string(raw)
	}
	events(`"id":"yes"`)
	if other, _, err := websocket.Dial(t.Context(), base+"/ws/demo", &websocket.DialOptions{HTTPClient: client, HTTPHeader: http.Header{"Token": {s.token}, "Origin": {"https://evil.example"}}}); err == nil {
		_ = other.CloseNow()
		t.Error("a page of another origin opens a socket")
	}

	_, body := ask("POST", "/v1/flows/menu/runs", "{}", "token", s.token)
	var started struct{ Run string }
	if err := json.Unmarshal([]byte(body), &started); err != nil || started.Run == "" {
		t.Fatalf("start: %s", body)
	}
	follow("/v1/runs/"+started.Run+"/steps", "application/json")("wait.armed") // the run is still going, so the line was not held back

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example"
	if res, err := http.DefaultClient.Do(req); err != nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("another name: %+v %v", res, err)
	} else {
		_ = res.Body.Close()
	}
	foreign := tls.Dialer{NetDialer: dialer, Config: &tls.Config{ServerName: "evil.example", InsecureSkipVerify: true}} //nolint:gosec // it has to fail for another reason
	if conn, err := foreign.DialContext(t.Context(), "tcp", "127.0.0.1:"+port); err == nil {
		_ = conn.Close()
		t.Error("the proxy has a certificate for every name")
	}
}

// publicCertificate creates a certificate for the public name, and a pool that trusts it.
func publicCertificate(t *testing.T, dir string) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	like := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{publicName}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, like, like, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	certFile = put(t, dir, "cert.pem", string(text))
	keyFile = put(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})))
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return certFile, keyFile, pool
}
