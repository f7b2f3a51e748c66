package media

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/jpeg"
	"io"
)

// lookJPEG reads the markers up to the frame header. It finds the size of every JPEG, even of one
// that image/jpeg cannot decode.
func lookJPEG(file *io.SectionReader) (picture, error) {
	p := picture{turn: upright}
	adobe := false
	r := bufio.NewReader(file)
	if _, err := r.Discard(2); err != nil { // start of image
		return p, err
	}
	for {
		marker, err := nextMarker(r)
		if err != nil {
			return p, err
		}
		if marker == 0x01 || marker >= 0xd0 && marker <= 0xd8 {
			continue // no segment follows
		}
		segment, err := readSegment(r)
		if err != nil {
			return p, err
		}
		switch {
		case marker == 0xda || marker == 0xd9:
			return p, errors.New("the JPEG has no frame header")
		case marker == 0xe1 && bytes.HasPrefix(segment, []byte("Exif\x00\x00")):
			p.turn = orientationOf(segment)
		case marker == 0xee:
			adobe = true // may be RGB
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			return p, p.frameHeader(file, segment, marker == 0xc2, adobe)
		}
	}
}

// nextMarker skips to the next marker in the same way as decoders.
func nextMarker(r *bufio.Reader) (byte, error) {
	for {
		b, err := r.ReadByte()
		for err == nil && b == 0xff {
			if b, err = r.ReadByte(); err == nil && b != 0xff && b != 0 {
				return b, nil
			}
		}
		if err != nil {
			return 0, io.ErrUnexpectedEOF
		}
	}
}

func readSegment(r *bufio.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(size[:])) - 2
	if n < 0 {
		return nil, errors.New("a JPEG segment has no length")
	}
	segment := make([]byte, n)
	_, err := io.ReadFull(r, segment)
	return segment, err
}

// frameHeader completes the picture.
func (p *picture) frameHeader(file *io.SectionReader, header []byte, progressive, adobe bool) error {
	if len(header) < 6 || len(header) < 6+3*int(header[5]) {
		return errors.New("the JPEG's frame header is cut")
	}
	p.size = image.Pt(int(binary.BigEndian.Uint16(header[3:])), int(binary.BigEndian.Uint16(header[1:])))
	components := int(header[5])
	if p.size.X == 0 || p.size.Y == 0 || components == 0 {
		return errors.New("the JPEG has no pixels")
	}
	// samples counts the samples of all components in one unit of the widest sampling, times the
	// number of units, rounded up; a unit has up to 4×4 blocks of 8×8 samples.
	var across, down, samples int64
	for i := range components {
		h, v := int64(header[7+3*i]>>4), int64(header[7+3*i]&15)
		across, down, samples = max(across, h), max(down, v), samples+h*v
	}
	if across == 0 || down == 0 || across > 4 || down > 4 {
		return errors.New("the JPEG's sampling is not possible")
	}
	units := func(n int, by int64) int64 { return (int64(n) + 8*by - 1) / (8 * by) }
	samples *= 64 * units(p.size.X, across) * units(p.size.Y, down)
	p.memory = samples
	if progressive {
		p.memory += 4 * samples // the coefficients are kept until the last scan
	}
	if components == 4 || adobe {
		p.memory += 4 * int64(p.size.X) * int64(p.size.Y) // colours are converted
	}
	p.memory += decoderSize
	p.decode = func() (image.Image, image.Point, error) {
		// Some cameras omit the end marker. A second one does no harm.
		frame, err := decodeAs(p.size, func() (image.Config, error) { return jpeg.DecodeConfig(rewind(file)) },
			func() (image.Image, error) {
				return jpeg.Decode(io.MultiReader(rewind(file), bytes.NewReader([]byte{0xff, 0xd9})))
			})
		return frame, image.Point{}, err
	}
	return nil
}

// decoderSize is what a decoder needs besides the pixels, in bytes.
const decoderSize = 256 << 10

// decodeAs decodes a picture if its decoder reads the same size from the header as we did, because
// the memory was granted for that size.
func decodeAs(size image.Point, config func() (image.Config, error), decode func() (image.Image, error)) (image.Image, error) {
	c, err := config()
	if err != nil {
		return nil, err
	}
	if image.Pt(c.Width, c.Height) != size {
		return nil, errors.New("the picture has two sizes")
	}
	return decode()
}

func rewind(file *io.SectionReader) io.Reader { return io.NewSectionReader(file, 0, file.Size()) }
