package media_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/media"
)

// webpFile is a 1×1 lossless WebP; the standard library cannot make one.
var webpFile, _ = base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")

// redirects answers with n redirects, then with the body.
func redirects(t *testing.T, n int, body []byte) string {
	return handle(t, func(w http.ResponseWriter, r *http.Request) {
		if step := len(r.URL.Path) - 1; step < n {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
			return
		}
		_, _ = w.Write(body)
	})
}

func to(t *testing.T, location string) string {
	return handle(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, location, http.StatusFound) })
}

func TestFetchRefuses(t *testing.T) {
	image := pngOf(t, 20, 20)
	small := media.Options{MaxBytes: 1000}
	for name, tc := range map[string]struct {
		opt    media.Options
		public bool // only public addresses are allowed
		url    string
		kind   buttons.MediaType
		reason media.Reason
		says   string
	}{
		"no URL":                     {url: "%zz", reason: media.BadURL},
		"relative URL":               {url: "/a.png", reason: media.BadURL, says: "http:// or https://"},
		"another scheme":             {url: "file:///etc/passwd", reason: media.BadURL},
		"no host":                    {url: "http:///a.png", reason: media.BadURL},
		"a very long URL":            {url: "http://host.example/" + strings.Repeat("a", 5000), reason: media.BadURL},
		"a loopback address":         {public: true, url: serve(t, image), reason: media.Refused, says: "not public"},
		"a loopback name":            {public: true, url: strings.Replace(serve(t, image), "127.0.0.1", "localhost", 1), reason: media.Refused},
		"a mapped loopback address":  {public: true, url: strings.Replace(serve(t, image), "127.0.0.1", "[::ffff:127.0.0.1]", 1), reason: media.Refused},
		"the metadata address":       {public: true, url: "http://169.254.169.254/latest/", reason: media.Refused},
		"the same, simulated":        {url: "http://169.254.169.254/latest/", reason: media.Refused},
		"a redirect to metadata":     {url: to(t, "http://169.254.169.254/latest/"), reason: media.Refused},
		"a redirect to a file":       {url: to(t, "file:///etc/passwd"), reason: media.BadURL},
		"four redirects":             {url: redirects(t, 4, image), reason: media.Unreachable, says: "more than 3 times"},
		"nobody listening":           {url: closedPort(t), reason: media.Unreachable, says: "cannot be reached"},
		"404":                        {url: handle(t, http.NotFound), reason: media.Unreachable, says: "404 Not Found"},
		"too large, announced":       {opt: small, url: serve(t, make([]byte, 1001)), reason: media.TooLarge},
		"too large, not announced":   {opt: small, url: chunked(t, 5000), reason: media.TooLarge},
		"empty":                      {url: serve(t, nil), reason: media.WrongType, says: "empty"},
		"a page":                     {url: serve(t, []byte("<html><body>login")), reason: media.WrongType, says: "it is a page"},
		"a video as an image":        {url: serve(t, mp4), reason: media.WrongType, says: "video/mp4"},
		"an image as a video":        {url: serve(t, image), kind: buttons.Video, reason: media.WrongType, says: "image/png"},
		"no more than a signature":   {url: serve(t, image[:10]), reason: media.WrongType, says: "damaged"},
		"half a WebP":                {url: serve(t, webpFile[:len(webpFile)/2+8]), reason: media.WrongType, says: "damaged"},
		"a body that breaks off":     {url: cut(t), kind: buttons.Document, reason: media.Unreachable},
		"a server that never starts": {opt: media.Options{Timeout: 20 * time.Millisecond}, url: handle(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), reason: media.Unreachable, says: "within"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.kind == "" {
				tc.kind = buttons.Image
			}
			up := &server{}
			tc.opt.Private = !tc.public
			_, err := load(t, tc.opt).Header(t.Context(), up, "shop", tc.url, tc.kind, nil)
			e, ok := errors.AsType[*media.Error](err)
			if !ok || e.Reason != tc.reason || !strings.Contains(e.Message, tc.says) {
				t.Fatalf("%#v, want %s %q", err, tc.reason, tc.says)
			}
			if u, err := url.Parse(tc.url); err == nil && u.Host != "" && strings.Contains(e.Message, u.Host) || !e.Caller() || up.calls > 0 {
				t.Errorf("message %q, caller %v, %d uploads", e.Message, e.Caller(), up.calls)
			}
		})
	}
}

func TestFetchFollowsThreeRedirects(t *testing.T) {
	if _, err := loader(t, media.Options{}).Header(t.Context(), &server{}, "shop", redirects(t, 3, mp4), buttons.Video, nil); err != nil {
		t.Error(err)
	}
}

func closedPort(t *testing.T) string {
	s := serve(t, nil)
	link, _ := url.Parse(s)
	link.Host = link.Hostname() + ":1"
	return link.String()
}

func chunked(t *testing.T, n int) string {
	return handle(t, func(w http.ResponseWriter, _ *http.Request) {
		for range n / 100 {
			_, _ = w.Write(bytes.Repeat([]byte{1}, 100))
			w.(http.Flusher).Flush()
		}
	})
}

func cut(t *testing.T) string {
	return handle(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("%PDF-1.7"))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
}
