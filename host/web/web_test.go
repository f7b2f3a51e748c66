package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHandler(t *testing.T) {
	page, err := Handler()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path, tag string) *http.Response {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("If-None-Match", tag)
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		return w.Result()
	}
	for path, kind := range map[string]string{
		"/ui/": "text/html", "/ui/flows/menu": "text/html", "/ui/flows/a.b": "text/html", "/ui/theme.js": "text/javascript",
		"/ui/assets/index.js": "text/javascript", "/ui/assets/style.css": "text/css", "/ui/mark.svg": "image/svg+xml",
	} {
		res := ask(path, "")
		if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), kind) {
			t.Errorf("%s: %d %s, want %s", path, res.StatusCode, res.Header.Get("Content-Type"), kind)
		}
		if csp := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
		if again := ask(path, res.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: %d when nothing has changed, want 304", path, again.StatusCode)
		}
	}
	for _, path := range []string{"/ui/assets/none.js", "/ui/assets/..%2findex.html"} {
		if res := ask(path, ""); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, res.StatusCode)
		}
	}
}
