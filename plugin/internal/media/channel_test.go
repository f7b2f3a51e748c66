package media_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"go.mau.fi/whatsmeow"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/media"
	"github.com/tapnode/tapnode/plugin/internal/store"

	"github.com/tapnode/tapnode/plugin/internal/store/cache"
)

// UploadNewsletterReader makes the server accept files for channels too: they are not encrypted, and the answer has a
// handle.
func (s *server) UploadNewsletterReader(ctx context.Context, r io.ReadSeeker, kind whatsmeow.MediaType) (whatsmeow.UploadResponse, error) {
	resp, err := s.UploadReader(ctx, r, new(bufferFile), kind)
	resp.MediaKey, resp.FileEncSHA256, resp.Handle = nil, nil, "handle-1"
	return resp, err
}

// bufferFile is a temporary file that is never read.
type bufferFile struct{ bytes.Buffer }

func (*bufferFile) Seek(int64, int) (int64, error) { return 0, nil }

func open(t *testing.T) *cache.Cache {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.Cache
}

// A file for a channel is uploaded separately from the same file in a chat, and its handle is found again for a post
// that is sent again.
func TestChannelHeader(t *testing.T) {
	for _, tc := range []struct {
		kind buttons.MediaType
		body []byte
	}{
		{buttons.Image, pngOf(t, 30, 20)},
		{buttons.Video, mp4},
		{buttons.Document, []byte("%PDF-1.7 x")},
	} {
		t.Run(string(tc.kind), func(t *testing.T) {
			l, up, link := loader(t, media.Options{Cache: open(t)}), &server{}, serve(t, tc.body)
			if _, err := l.Header(t.Context(), up, "shop", link, tc.kind, nil); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				m, err := l.ChannelHeader(t.Context(), up, "shop", link, tc.kind, nil)
				if err != nil {
					t.Fatal(err)
				}
				if m.Handle != "handle-1" || m.MediaKey != nil || m.FileEncSHA256 != nil || len(m.FileSHA256) != 32 {
					t.Errorf("header = %+v", m)
				}
				post := buttons.EncodeFallback(buttons.Request{ContentText: "Look"}, buttons.Send{Media: m})
				if handle, err := l.Handle(t.Context(), "shop", post); err != nil || handle != "handle-1" {
					t.Errorf("handle %q, %v", handle, err)
				}
				var forgotten *media.Error
				if _, err := l.Handle(t.Context(), "other", post); !errors.As(err, &forgotten) {
					t.Errorf("the handle of another instance: %v", err)
				}
			}
			if up.calls != 2 {
				t.Errorf("%d uploads, want one for chats and one for the channel", up.calls)
			}
			if handle, err := l.Handle(t.Context(), "shop", buttons.EncodeText(buttons.TextRequest{ContentText: "Hi"}, nil)); handle != "" || err != nil {
				t.Errorf("a post without media: %q, %v", handle, err)
			}
		})
	}
}

// TestUploadAtOnce: a caller that needs a file that is being uploaded waits for that upload.
func TestUploadAtOnce(t *testing.T) {
	l, up, link := loader(t, media.Options{Cache: open(t)}), &server{}, serve(t, mp4)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := l.Header(t.Context(), up, "shop", link, buttons.Video, nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if up.calls != 1 {
		t.Errorf("%d uploads of one file", up.calls)
	}
}
