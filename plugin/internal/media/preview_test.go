package media

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
)

func TestPreviewIsReused(t *testing.T) {
	l := New(Options{Dir: t.TempDir()})
	defer l.Close()
	examine := func(ctx context.Context, width int) (*buttons.Media, error) {
		file, err := l.temporary()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if err := png.Encode(file, image.NewGray(image.Rect(0, 0, width, 20))); err != nil {
			t.Fatal(err)
		}
		return l.examine(ctx, &fetched{file: file}, buttons.Image)
	}
	first, err := examine(t.Context(), 30)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.memory.Acquire(t.Context(), maxDecoded); err != nil { // from here on nothing can be decoded
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	again, err := examine(ended, 30)
	if err != nil || again.Width != 30 || again.Height != 20 || len(again.Thumbnail) == 0 || !bytes.Equal(again.Thumbnail, first.Thumbnail) {
		t.Errorf("the same picture gave %+v, %v", again, err)
	}
	if other, err := examine(ended, 31); err == nil {
		t.Errorf("another picture was not decoded: %+v", other)
	}
}
