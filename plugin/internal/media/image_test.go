package media_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"io"
	"runtime"
	"sync"
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/media"
)

// corner returns a w×h picture that is black except for its white top left quarter.
func corner(w, h int) *image.Gray {
	p := image.NewGray(image.Rect(0, 0, w, h))
	for x := range w / 2 {
		for y := range h / 2 {
			p.SetGray(x, y, color.Gray{255})
		}
	}
	return p
}

func jpegOf(t testing.TB, p image.Image) []byte {
	return encoded(t, func(w io.Writer) error { return jpeg.Encode(w, p, nil) })
}

// exif returns EXIF data with an orientation, after an irrelevant tag.
func exif(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte(map[bool]string{true: "MM", false: "II"}[order.String() == "BigEndian"])
	b = order.AppendUint32(order.AppendUint16(b, 42), 8)
	b = order.AppendUint16(b, 2)
	for _, tag := range [][2]uint16{{0x0110, 7}, {0x0112, orientation}} {
		b = order.AppendUint32(order.AppendUint16(order.AppendUint16(b, tag[0]), 3), 1)
		b = order.AppendUint16(order.AppendUint16(b, tag[1]), 0)
	}
	return b
}

// withSegment inserts a segment after the start of a JPEG.
func withSegment(file []byte, marker byte, data []byte) []byte {
	segment := binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(data)+2))
	return bytes.Join([][]byte{file[:2], segment, data, file[2:]}, nil)
}

// imageHeader loads the file as an image header.
func imageHeader(t *testing.T, file []byte) (*buttons.Media, *server) {
	t.Helper()
	up := &server{}
	m, err := loader(t, media.Options{}).Header(t.Context(), up, "shop", serve(t, file), buttons.Image, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m, up
}

// bright names the quarters of a picture that are bright, as "tl tr bl br".
func bright(t *testing.T, file []byte) (size image.Point, quarters string) {
	t.Helper()
	p, err := jpeg.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	size = p.Bounds().Size()
	for i, name := range []string{"tl", "tr", "bl", "br"} {
		x, y := size.X/4+i%2*size.X/2, size.Y/4+i/2*size.Y/2
		if color.GrayModel.Convert(p.At(x, y)).(color.Gray).Y > 128 {
			quarters += name
		}
	}
	return size, quarters
}

// The preview shows what the phone shows: the picture as EXIF turns it.
func TestOrientation(t *testing.T) {
	white := []string{"tl", "tl", "tr", "br", "bl", "tl", "tr", "br", "bl", "tl"} // by orientation; 0 and 9 are not valid ones
	for o := range uint16(10) {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			t.Run(fmt.Sprint(o, order), func(t *testing.T) {
				file := withSegment(jpegOf(t, corner(400, 200)), 0xe1, append([]byte("Exif\x00\x00"), exif(order, o)...))
				m, up := imageHeader(t, file)
				want := image.Pt(400, 200)
				if o >= 5 && o <= 8 {
					want = image.Pt(200, 400)
				}
				size, quarters := bright(t, m.Thumbnail)
				if image.Pt(int(m.Width), int(m.Height)) != want || (size.X > size.Y) != (want.X > want.Y) || quarters != white[o] {
					t.Errorf("%d×%d, preview %v with white at %q; want %v and %q", m.Width, m.Height, size, quarters, want, white[o])
				}
				if !bytes.Equal(up.got, file) {
					t.Error("the file was changed")
				}
			})
		}
	}
}

// riff is a WebP file of chunks: id, data, id, data …
func riff(chunks ...string) []byte {
	body := "WEBP" + parts(chunks...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func parts(chunks ...string) (out string) {
	for i := 0; i < len(chunks); i += 2 {
		out += string(binary.LittleEndian.AppendUint32([]byte(chunks[i]), uint32(len(chunks[i+1])))) + chunks[i+1]
		if len(chunks[i+1])%2 == 1 {
			out += "\x00"
		}
	}
	return out
}

func vp8x(flags byte, w, h int) string {
	return string([]byte{flags, 0, 0, 0, byte(w - 1), byte((w - 1) >> 8), 0, byte(h - 1), byte((h - 1) >> 8), 0})
}

// dot is the pixels of a 1×1 lossless WebP, red.
var dot = string(webpFile[20:])

// An animation becomes its first frame, at its place on the canvas, and the sender gets a warning.
func TestAnimations(t *testing.T) {
	anmf := "\x02\x00\x00\x03\x00\x00" + "\x00\x00\x00\x00\x00\x00" + "\x64\x00\x00\x00" + parts("VP8L", dot) // at 4, 6
	moving := riff("VP8X", vp8x(2, 40, 20), "ANIM", "\x00\x00\x00\x00\x00\x00", "ANMF", anmf, "ANMF", anmf)
	frame := func(x, y int) *image.Paletted {
		return image.NewPaletted(image.Rect(x, y, x+20, y+10), color.Palette{color.Black, color.White})
	}
	gifOf := func(frames ...*image.Paletted) []byte {
		g := &gif.GIF{Config: image.Config{Width: 40, Height: 20}, Image: frames, Delay: make([]int, len(frames))}
		return encoded(t, func(w io.Writer) error { return gif.EncodeAll(w, g) })
	}
	for _, tc := range []struct {
		name     string
		file     []byte
		size     image.Point
		white    string
		animated bool
	}{
		{"webp", moving, image.Pt(40, 20), "tltrblbr", true},
		{"webp, turned", riff("VP8X", vp8x(10, 40, 20), "ANMF", anmf, "EXIF", string(exif(binary.LittleEndian, 6))), image.Pt(20, 40), "tltrblbr", true},
		{"still webp", riff("VP8X", vp8x(0, 1, 1), "VP8L", dot), image.Pt(1, 1), "", false},
		{"gif", gifOf(frame(20, 10), frame(0, 0)), image.Pt(40, 20), "tltrbl", true},
		{"still gif", gifOf(frame(0, 10)), image.Pt(40, 20), "tltrbr", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, up := imageHeader(t, tc.file)
			size, quarters := bright(t, up.got)
			if size != tc.size || image.Pt(int(m.Width), int(m.Height)) != tc.size || tc.size.X > 1 && quarters != tc.white {
				t.Errorf("%v, header %d×%d, white at %q; want %v and %q", size, m.Width, m.Height, quarters, tc.size, tc.white)
			}
			if animated := len(m.Warnings) == 1 && m.Warnings[0].Code == "media_animation_lost"; animated != tc.animated {
				t.Errorf("warnings %v", m.Warnings)
			}
		})
	}
}

// A file that is sent unchanged never fails because it has no preview.
func TestPicturesThatCannotBeDecoded(t *testing.T) {
	whole := jpegOf(t, picture(64, 48))
	sof := bytes.Index(whole, []byte{0xff, 0xc0})
	arithmetic := bytes.Clone(whole)
	arithmetic[sof+1] = 0xc9
	for _, tc := range []struct {
		name            string
		file            []byte
		preview, warned bool
	}{
		{"jpeg without its end marker", whole[:len(whole)-2], true, false},
		{"jpeg with something behind it", append(bytes.Clone(whole), "trailer"...), true, false},
		{"half a jpeg", whole[:len(whole)*2/3], false, true},
		{"jpeg with another coding", arithmetic, false, true},
		{"half a png", pngOf(t, 64, 48)[:70], false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, up := imageHeader(t, tc.file)
			if m.Width != 64 || m.Height != 48 || (m.Thumbnail != nil) != tc.preview || (len(m.Warnings) > 0) != tc.warned || !bytes.Equal(up.got, tc.file) {
				t.Errorf("%d×%d, preview %v, warnings %v, unchanged %v", m.Width, m.Height, m.Thumbnail != nil, m.Warnings, bytes.Equal(up.got, tc.file))
			}
		})
	}
}

// Small files that claim to have many pixels are not decoded, however many come at once: all
// allocations together stay far below the size of one of them.
func TestPicturesThatClaimTooMuch(t *testing.T) {
	big := pngOf(t, 1, 1)
	ihdr := big[12:29] // type and data of the first chunk
	binary.BigEndian.PutUint32(ihdr[4:], 50_000)
	binary.BigEndian.PutUint32(ihdr[8:], 50_000)
	binary.BigEndian.PutUint32(big[29:], crc32.ChecksumIEEE(ihdr))

	progressive := jpegOf(t, picture(16, 16))
	sof := bytes.Index(progressive, []byte{0xff, 0xc0})
	progressive[sof+1] = 0xc2
	binary.BigEndian.PutUint16(progressive[sof+5:], 4000)
	binary.BigEndian.PutUint16(progressive[sof+7:], 4000)

	hidden := withSegment(progressive, 0xe0, make([]byte, 60_000)) // after many other bytes

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var all sync.WaitGroup
	for i, file := range [][]byte{big, progressive, hidden} {
		l, link := loader(t, media.Options{}), serve(t, file)
		for range 12 {
			all.Go(func() {
				got, err := l.Header(t.Context(), &server{}, "shop", link, buttons.Image, nil)
				if err != nil || got.Width < 4000 || got.Thumbnail != nil {
					t.Errorf("%d: %+v %v, want it sent without a preview", i, got, err)
				}
			})
		}
	}
	all.Wait()
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 100<<20 {
		t.Errorf("%d MiB allocated", grown>>20)
	}
}
