package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"io"

	"golang.org/x/image/webp"
)

// maxChunks is how many chunks of a WebP file are examined.
const maxChunks = 1000

// chunk is a part of a WebP file. Its data stays in the file.
type chunk struct {
	id   string
	from int64
	size int64
}

// chunksOf lists the chunks between two offsets of the file: at most maxChunks, and only those
// before the first truncated one.
func chunksOf(file io.ReaderAt, from, to int64) []chunk {
	var list []chunk
	var head [8]byte
	for len(list) < maxChunks && from+8 <= to {
		if _, err := file.ReadAt(head[:], from); err != nil {
			break
		}
		c := chunk{id: string(head[:4]), from: from + 8, size: int64(binary.LittleEndian.Uint32(head[4:]))}
		if from = c.from + c.size + c.size&1; c.from+c.size > to {
			break
		}
		list = append(list, c)
	}
	return list
}

// lookWebP also finds the first frame of an animation, which golang.org/x/image cannot decode, by
// making a still file of it.
func lookWebP(file *io.SectionReader) (picture, error) {
	var head [12]byte
	if _, err := file.ReadAt(head[:], 0); err != nil {
		return picture{}, err
	}
	p := picture{turn: upright}
	still := make([]chunk, 0, 3)
	for _, c := range chunksOf(file, 12, 8+int64(binary.LittleEndian.Uint32(head[4:]))) {
		switch c.id {
		case "VP8X": // flags, then the size of the canvas
			var x [10]byte
			if _, err := file.ReadAt(x[:], c.from); err != nil || c.size < 10 {
				return p, errors.New("the WebP's header is cut")
			}
			p.size = image.Pt(1+uint24(x[4:]), 1+uint24(x[7:]))
		case "ANMF": // place, size and flags of a frame, then its chunks
			if p.animated || c.size < 16 {
				continue
			}
			p.animated = true
			var place [6]byte
			if _, err := file.ReadAt(place[:], c.from); err != nil {
				return p, err
			}
			frame, err := stillOf(file, chunksOf(file, c.from+16, c.from+c.size))
			if err != nil {
				return p, err
			}
			at := image.Pt(2*uint24(place[:]), 2*uint24(place[3:]))
			if !(image.Rectangle{Min: at, Max: at.Add(frame.size)}).In(image.Rectangle{Max: p.size}) {
				return p, errors.New("a frame lies outside of the WebP's canvas")
			}
			p.memory = frame.memory
			p.decode = func() (image.Image, image.Point, error) {
				picture, _, err := frame.decode()
				return picture, at, err
			}
		case "ALPH", "VP8 ", "VP8L":
			still = append(still, c)
		case "EXIF":
			exif := make([]byte, min(c.size, 64<<10))
			if _, err := file.ReadAt(exif, c.from); err == nil {
				p.turn = orientationOf(exif)
			}
		}
	}
	if p.animated {
		return p, nil
	}
	frame, err := stillOf(file, still)
	if err == nil && p.size != (image.Point{}) && p.size != frame.size {
		err = errors.New("the WebP has two sizes")
	}
	frame.turn = p.turn
	return frame, err
}

// stillOf makes a picture from the chunks of one frame: a chunk with the pixels, preceded in lossy
// frames by an optional chunk with the transparency.
func stillOf(file *io.SectionReader, chunks []chunk) (picture, error) {
	var p picture
	var alpha, pixels *chunk
	for i, c := range chunks {
		switch {
		case pixels != nil:
		case c.id == "ALPH":
			alpha = &chunks[i]
		case c.id == "VP8 " || c.id == "VP8L":
			pixels = &chunks[i]
		}
	}
	if pixels == nil {
		return p, errors.New("the WebP has no pixels")
	}
	var head [10]byte
	if _, err := file.ReadAt(head[:], pixels.from); err != nil {
		return p, err
	}
	perPixel := int64(8) // lossless: 4 bytes, doubled for a palette
	if pixels.id == "VP8 " {
		p.size = image.Pt(int(binary.LittleEndian.Uint16(head[6:]))&0x3fff, int(binary.LittleEndian.Uint16(head[8:]))&0x3fff)
		if perPixel = 2; alpha != nil {
			perPixel += 9 // the transparency is decoded losslessly, then copied to a plane
		}
	} else {
		bits := int(binary.LittleEndian.Uint32(head[1:]))
		p.size = image.Pt(1+bits&0x3fff, 1+bits>>14&0x3fff)
		alpha = nil // lossless pixels include transparency
	}
	p.memory = perPixel*int64(p.size.X+16)*int64(p.size.Y+16) + decoderSize
	parts := []chunk{*pixels}
	if alpha != nil {
		p.memory += alpha.size
		parts = []chunk{*alpha, *pixels}
	}
	p.decode = func() (image.Image, image.Point, error) {
		frame, err := decodeAs(p.size, func() (image.Config, error) { return webp.DecodeConfig(stillFile(file, p.size, parts)) },
			func() (image.Image, error) { return webp.Decode(stillFile(file, p.size, parts)) })
		return frame, image.Point{}, err
	}
	return p, nil
}

// stillFile returns a WebP file made of the chunks.
func stillFile(file io.ReaderAt, size image.Point, parts []chunk) io.Reader {
	var body []io.Reader
	total := int64(len("WEBP"))
	add := func(id string, data io.Reader, n int64) {
		head := binary.LittleEndian.AppendUint32([]byte(id), uint32(n))
		body = append(body, bytes.NewReader(head), data, bytes.NewReader(make([]byte, n&1)))
		total += 8 + n + n&1
	}
	if len(parts) > 1 {
		x := append([]byte{0x10, 0, 0, 0}, le24(size.X-1)...) // with transparency
		x = append(x, le24(size.Y-1)...)
		add("VP8X", bytes.NewReader(x), int64(len(x)))
	}
	for _, c := range parts {
		add(c.id, io.NewSectionReader(file, c.from, c.size), c.size)
	}
	head := append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(total)), "WEBP"...)
	return io.MultiReader(append([]io.Reader{bytes.NewReader(head)}, body...)...)
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

func le24(n int) []byte { return []byte{byte(n), byte(n >> 8), byte(n >> 16)} }
