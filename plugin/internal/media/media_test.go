package media_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"go.mau.fi/whatsmeow"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/media"
	"github.com/tapnode/tapnode/plugin/internal/store"
)

// server is WhatsApp's side of an upload. It implements the interface that whatsmeow offers.
type server struct {
	got   []byte
	kind  whatsmeow.MediaType
	calls int
	err   error
}

func (s *server) UploadReader(_ context.Context, r io.Reader, temp io.ReadWriteSeeker, kind whatsmeow.MediaType) (whatsmeow.UploadResponse, error) {
	s.calls++
	body, err := io.ReadAll(r)
	if err == nil {
		_, err = temp.Write(body)
	}
	if err = errors.Join(err, s.err); err != nil {
		return whatsmeow.UploadResponse{}, err
	}
	s.got, s.kind = body, kind
	sum := sha256.Sum256(body)
	return whatsmeow.UploadResponse{
		URL: "https://mmg.whatsapp.net/x", DirectPath: "/x", MediaKey: []byte("key"),
		FileSHA256: sum[:], FileEncSHA256: []byte("enc"), FileLength: uint64(len(body)),
	}, nil
}

// loader returns a Loader that may connect to this machine.
func loader(t *testing.T, opt media.Options) *media.Loader {
	t.Helper()
	opt.Private = true
	return load(t, opt)
}

// load returns a Loader, and checks at the end of the test that no file is left behind.
func load(t *testing.T, opt media.Options) *media.Loader {
	t.Helper()
	opt.Dir = t.TempDir()
	l := media.New(opt)
	t.Cleanup(func() {
		l.Close()
		if left, err := os.ReadDir(opt.Dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	})
	return l
}

// serve answers every request with the headers and the body.
func serve(t *testing.T, body []byte, header ...string) string {
	t.Helper()
	return handle(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		_, _ = w.Write(body)
	})
}

func handle(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// picture returns a w×h picture with a transparent corner.
func picture(w, h int) *image.NRGBA {
	p := image.NewNRGBA(image.Rect(0, 0, w, h))
	for x := range w {
		for y := range h {
			p.Set(x, y, color.NRGBA{uint8(x), uint8(y), 80, 255})
		}
	}
	p.Set(0, 0, color.NRGBA{})
	return p
}

func encoded(t testing.TB, encode func(io.Writer) error) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := encode(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func pngOf(t testing.TB, w, h int) []byte {
	return encoded(t, func(out io.Writer) error { return png.Encode(out, picture(w, h)) })
}

var mp4 = append([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"), make([]byte, 600)...)

func TestImageHeader(t *testing.T) {
	for _, tc := range []struct {
		name, mimetype string
		body           []byte
		asItIs         bool
	}{
		{"png", "image/png", pngOf(t, 300, 200), true},
		{"jpeg", "image/jpeg", encoded(t, func(w io.Writer) error { return jpeg.Encode(w, picture(300, 200), nil) }), true},
		{"gif becomes jpeg", "image/jpeg", encoded(t, func(w io.Writer) error { return gif.Encode(w, picture(300, 200), nil) }), false},
		{"webp becomes jpeg", "image/jpeg", webpFile, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			up := &server{}
			var stages []string
			got, err := loader(t, media.Options{}).Header(t.Context(), up, "shop", serve(t, tc.body, "Content-Type", "text/html"), buttons.Image,
				func(stage string, done, total int64) { stages = append(stages, fmt.Sprint(stage, " ", done <= total)) })
			if err != nil {
				t.Fatal(err)
			}
			if got.Mimetype != tc.mimetype || got.Width == 0 || got.Height == 0 || got.DirectPath != "/x" || string(got.MediaKey) != "key" {
				t.Errorf("header %+v", got)
			}
			if up.kind != whatsmeow.MediaImage || bytes.Equal(up.got, tc.body) != tc.asItIs || got.FileLength != uint64(len(up.got)) {
				t.Errorf("uploaded %d bytes as %s, unchanged %v", len(up.got), up.kind, bytes.Equal(up.got, tc.body))
			}
			if http.DetectContentType(up.got) != tc.mimetype {
				t.Errorf("uploaded %s as %s", http.DetectContentType(up.got), tc.mimetype)
			}
			thumb, err := jpeg.DecodeConfig(bytes.NewReader(got.Thumbnail))
			if err != nil || max(thumb.Width, thumb.Height) > 96 || len(got.Thumbnail) > 16<<10 {
				t.Errorf("thumbnail %+v of %d bytes, %v", thumb, len(got.Thumbnail), err)
			}
			if fmt.Sprint(stages) != "[fetching true uploading true]" {
				t.Errorf("progress %v", stages)
			}
		})
	}
}

func TestUploadIsReused(t *testing.T) {
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, up, link := loader(t, media.Options{Cache: s.Cache}), &server{}, serve(t, pngOf(t, 30, 20))
	var headers []*buttons.Media
	for _, instance := range []string{"shop", "shop", "bar"} {
		m, err := l.Header(t.Context(), up, instance, link, buttons.Image, nil)
		if err != nil {
			t.Fatal(err)
		}
		headers = append(headers, m)
	}
	if up.calls != 2 {
		t.Errorf("%d uploads, want one for each instance", up.calls)
	}
	if fmt.Sprint(*headers[0]) != fmt.Sprint(*headers[1]) {
		t.Errorf("reused header differs:\n%+v\n%+v", headers[0], headers[1])
	}
}

func TestRefusedUpload(t *testing.T) {
	up := &server{err: errors.New("507")}
	_, err := loader(t, media.Options{}).Header(t.Context(), up, "shop", serve(t, mp4), buttons.Video, nil)
	e, ok := errors.AsType[*media.Error](err)
	if !ok || e.Reason != media.Upload || e.Caller() || !e.Retry || !errors.Is(err, up.err) {
		t.Errorf("%#v, want a refused upload, not the caller's", err)
	}
}
