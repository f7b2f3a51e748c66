package media

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"runtime"
	"testing"
)

// Decoding takes no more memory than was reserved for it.
func TestDecodingTakesWhatItClaims(t *testing.T) {
	area := image.Rect(0, 0, 1001, 703)
	encode := func(to func(io.Writer) error) []byte {
		var b bytes.Buffer
		if err := to(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	jpegOf := func(p image.Image) []byte {
		return encode(func(w io.Writer) error { return jpeg.Encode(w, p, nil) })
	}
	pngOf := func(p image.Image) []byte { return encode(func(w io.Writer) error { return png.Encode(w, p) }) }
	palette := image.NewPaletted(area, color.Palette{color.Black, color.White})
	clear16 := image.NewNRGBA64(area)
	progressive := jpegOf(image.NewRGBA(area))
	progressive[bytes.Index(progressive, []byte{0xff, 0xc0})+1] = 0xc2
	progressive[bytes.Index(progressive, []byte{0xff, 0xda})+12] = 0 // a scan with the averages only

	for name, tc := range map[string]struct {
		look func(*io.SectionReader) (picture, error)
		file []byte
	}{
		"grey jpeg":        {lookJPEG, jpegOf(image.NewGray(area))},
		"colour jpeg":      {lookJPEG, jpegOf(image.NewRGBA(area))},
		"progressive jpeg": {lookJPEG, progressive},
		"grey png":         {lookPNG, pngOf(image.NewGray(area))},
		"png":              {lookPNG, pngOf(image.NewRGBA(area))},
		"16 bit png":       {lookPNG, pngOf(clear16)},
		"png with palette": {lookPNG, pngOf(palette)},
		"gif":              {lookGIF, encode(func(w io.Writer) error { return gif.Encode(w, palette, nil) })},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := tc.look(io.NewSectionReader(bytes.NewReader(tc.file), 0, int64(len(tc.file))))
			if err != nil || p.size != area.Size() {
				t.Fatalf("%v %v", p.size, err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, _ = p.decode() // the progressive one breaks off after its memory is allocated
			runtime.ReadMemStats(&after)
			took := int64(after.TotalAlloc - before.TotalAlloc)
			if took > p.memory || took < p.memory/8 {
				t.Errorf("it claims %d KiB and takes %d KiB", p.memory>>10, took>>10)
			}
		})
	}
}
