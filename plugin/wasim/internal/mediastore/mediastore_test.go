package mediastore

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// do sends one request to the store's handler over a real connection.
func do(t *testing.T, srv *httptest.Server, method, target string, body io.Reader) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+target, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(out)
}

func target(s *Store, prefix string, data []byte) string {
	sum := sha256.Sum256(data)
	token := base64.URLEncoding.EncodeToString(sum[:])
	return prefix + token + "?" + url.Values{"auth": {s.auth}, "token": {token}}.Encode()
}

func serve(t *testing.T, opts Options) (*Store, *httptest.Server) {
	s := New(opts)
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return s, srv
}

// upload stores data and returns its direct path.
func upload(t *testing.T, s *Store, srv *httptest.Server, data []byte) string {
	t.Helper()
	status, body := do(t, srv, "POST", target(s, "/mms/image/", data), bytes.NewReader(data))
	var got answer
	if status != 200 || json.Unmarshal([]byte(body), &got) != nil {
		t.Fatalf("upload: %d %s", status, body)
	}
	if !strings.HasSuffix(got.URL, got.DirectPath) || !strings.HasPrefix(got.DirectPath, "/") || got.Handle == "" {
		t.Fatalf("upload answered %+v", got)
	}
	return got.DirectPath
}

func TestUploadedBlobComesBack(t *testing.T) {
	s, srv := serve(t, Options{})
	data := []byte("ciphertext and its mac")
	path := upload(t, s, srv, data)
	if upload(t, s, srv, data) != path {
		t.Fatal("the same blob got another path")
	}
	if got := s.Uploads(sha256.Sum256(data)); got != 2 {
		t.Fatalf("counted %d uploads", got)
	}
	// whatsmeow appends its own parameters to the direct path as it is.
	status, body := do(t, srv, "GET", path+"&hash=x&mms-type=image&__wa-mms=", nil)
	if status != 200 || body != string(data) {
		t.Fatalf("download: %d %q", status, body)
	}
	if st := s.Stats(); st.Blobs != 1 || st.Bytes != int64(len(data)) || st.Uploads != 2 || st.Downloads != 1 {
		t.Fatalf("counted %+v", st)
	}
	if status, _ := do(t, srv, "DELETE", target(s, "/mms/image/", data), nil); status != 204 {
		t.Fatalf("delete: %d", status)
	}
	if status, _ := do(t, srv, "GET", path, nil); status != 404 {
		t.Fatalf("download after delete: %d", status)
	}
	if st := s.Stats(); st.Bytes != 0 || st.Blobs != 0 {
		t.Fatalf("left over: %+v", st)
	}
}

func TestNewsletterBlobHasItsOwnPath(t *testing.T) {
	s, srv := serve(t, Options{})
	data := []byte("in the clear")
	if status, body := do(t, srv, "POST", target(s, "/newsletter/newsletter-image/", data), bytes.NewReader(data)); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	for _, wrong := range []string{"/newsletter/image/", "/mms/newsletter-image/"} {
		if status, _ := do(t, srv, "POST", target(s, wrong, data), bytes.NewReader(data)); status != 400 {
			t.Errorf("%s answered %d", wrong, status)
		}
	}
}

// Clients write the token with padding or, as Baileys does, without.
func TestUnpaddedToken(t *testing.T) {
	s, srv := serve(t, Options{})
	data := []byte("data") // whose hash ends in padding, as every SHA-256 does
	if status, body := do(t, srv, "POST", strings.ReplaceAll(target(s, "/mms/image/", data), "%3D", ""), bytes.NewReader(data)); status != 400 {
		t.Errorf("in the query only: %d %s", status, body)
	}
	bare := strings.ReplaceAll(strings.ReplaceAll(target(s, "/mms/image/", data), "%3D", ""), "=?", "?")
	if status, body := do(t, srv, "POST", bare, bytes.NewReader(data)); status != 200 {
		t.Errorf("without padding: %d %s", status, body)
	}
}

func TestUploadRefuses(t *testing.T) {
	s, srv := serve(t, Options{MaxBlob: 100})
	data := []byte("data")
	good := target(s, "/mms/image/", data)
	big := bytes.Repeat([]byte("x"), 101)
	for _, c := range []struct {
		name, target string
		body         io.Reader
		status       int
	}{
		{"other body", good, strings.NewReader("date"), 400},
		{"no auth", strings.Replace(good, "auth=", "auth=x", 1), bytes.NewReader(data), 401},
		{"token of another length", "/mms/image/QUJD?token=QUJD&auth=" + s.auth, bytes.NewReader(data), 400},
		{"token differs", strings.Replace(good, "token=", "token=A", 1), bytes.NewReader(data), 400},
		{"type", target(s, "/mms/IMAGE!/", data), bytes.NewReader(data), 400},
		{"too large", target(s, "/mms/image/", big), bytes.NewReader(big), 413},
		{"unknown length", good, struct{ io.Reader }{bytes.NewReader(data)}, 411},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, body := do(t, srv, "POST", c.target, c.body); status != c.status {
				t.Fatalf("answered %d %s, want %d", status, body, c.status)
			}
		})
	}
	if st := s.Stats(); st.Bytes != 0 || st.Uploads != 0 || st.Refused != 7 {
		t.Fatalf("left over: %+v", st)
	}
}

func TestOldestBlobMakesRoom(t *testing.T) {
	s, srv := serve(t, Options{MaxBytes: 300})
	blob := func(c string) []byte { return bytes.Repeat([]byte(c), 100) }
	a, b := upload(t, s, srv, blob("a")), upload(t, s, srv, blob("b"))
	upload(t, s, srv, blob("c"))
	if status, _ := do(t, srv, "GET", a, nil); status != 200 {
		t.Fatalf("a: %d", status)
	}
	upload(t, s, srv, blob("d"))
	if status, _ := do(t, srv, "GET", b, nil); status != 404 {
		t.Fatalf("b was used longest ago and must be gone, got %d", status)
	}
	if status, _ := do(t, srv, "GET", a, nil); status != 200 {
		t.Fatalf("a was just used and must be there, got %d", status)
	}
	huge := bytes.Repeat([]byte("h"), 301)
	if status, _ := do(t, srv, "POST", target(s, "/mms/image/", huge), bytes.NewReader(huge)); status != 507 {
		t.Fatalf("more than the whole store: %d", status)
	}
	if st := s.Stats(); st.Bytes != 300 || st.Evicted != 1 {
		t.Fatalf("bound broken: %+v", st)
	}
}

func TestConcurrentUploadsKeepTheBound(t *testing.T) {
	s, srv := serve(t, Options{MaxBytes: 1000})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			data := bytes.Repeat([]byte{byte(i)}, 100)
			status, _ := do(t, srv, "POST", target(s, "/mms/document/", data), bytes.NewReader(data))
			if status != 200 && status != 507 {
				t.Errorf("upload %d: %d", i, status)
			}
		})
	}
	wg.Wait()
	if st := s.Stats(); st.Bytes > 1000 || st.Bytes != int64(st.Blobs)*100 {
		t.Fatalf("%+v", st)
	}
}

func TestMediaConnHasWhatClientsNeed(t *testing.T) {
	n := New(Options{}).MediaConn("a.example", "b.example")
	ag := n.AttrGetter()
	if ag.String("auth") == "" || ag.Int("ttl") <= 0 || ag.Int("auth_ttl") <= 0 || ag.Int("max_buckets") <= 0 || !ag.OK() {
		t.Fatalf("attributes %v: %v", n.Attrs, ag.Errors)
	}
	hosts := n.GetChildrenByTag("host")
	if len(hosts) != 2 || hosts[0].AttrGetter().String("hostname") != "a.example" {
		t.Fatalf("hosts %v", hosts)
	}
}
