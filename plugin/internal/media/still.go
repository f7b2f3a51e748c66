package media

import (
	"bufio"
	"image"
	"image/gif"
	"image/png"
	"io"
)

// lookPNG assumes the largest pixel size that the header allows.
func lookPNG(file *io.SectionReader) (picture, error) {
	config, err := png.DecodeConfig(rewind(file))
	if err != nil {
		return picture{}, err
	}
	// The signature, the length and name of the first chunk (IHDR), then width, height, depth,
	// colour type, compression, filter and interlacing.
	head := make([]byte, 29)
	if _, err := file.ReadAt(head, 0); err != nil {
		return picture{}, err
	}
	depth, colour, interlaced := head[24], head[25], head[28] != 0
	perPixel := int64(4)
	switch {
	case string(head[12:16]) != "IHDR" || depth == 16:
		perPixel = 8
	case colour == 3: // a palette
		perPixel = 1
	}
	if interlaced {
		perPixel *= 2 // each pass is a picture of its own
	}
	size := image.Pt(config.Width, config.Height)
	return picture{
		size: size, turn: upright, memory: perPixel*int64(size.X)*int64(size.Y) + decoderSize,
		decode: func() (image.Image, image.Point, error) {
			frame, err := png.Decode(rewind(file))
			return frame, image.Point{}, err
		},
	}, nil
}

// lookGIF also determines whether there is a second frame.
func lookGIF(file *io.SectionReader) (picture, error) {
	config, err := gif.DecodeConfig(rewind(file))
	if err != nil {
		return picture{}, err
	}
	size := image.Pt(config.Width, config.Height)
	return picture{
		size: size, turn: upright, animated: frames(bufio.NewReader(rewind(file))) > 1,
		memory: 2*int64(size.X)*int64(size.Y) + decoderSize, // as stored, and de-interlaced
		decode: func() (image.Image, image.Point, error) {
			frame, err := gif.Decode(rewind(file))
			if err != nil {
				return nil, image.Point{}, err
			}
			return frame, frame.Bounds().Min, nil
		},
	}, nil
}

// frames counts the frames of a GIF up to two, and stops where the file is damaged.
func frames(r *bufio.Reader) (n int) {
	head := make([]byte, 13)
	if _, err := io.ReadFull(r, head); err != nil || !skipColours(r, head[10]) {
		return n
	}
	for n < 2 {
		block, err := r.ReadByte()
		if err != nil {
			return n
		}
		switch block {
		case 0x21: // extension: its label
			if _, err := r.Discard(1); err != nil {
				return n
			}
		case 0x2c: // frame: place and flags, its own colours, the code size
			n++
			place := head[:9]
			if _, err := io.ReadFull(r, place); err != nil || !skipColours(r, place[8]) {
				return n
			}
			if _, err := r.Discard(1); err != nil {
				return n
			}
		default:
			return n
		}
		for { // the data, in blocks of up to 255 bytes
			size, err := r.ReadByte()
			if err != nil {
				return n
			}
			if size == 0 {
				break
			}
			if _, err := r.Discard(int(size)); err != nil {
				return n
			}
		}
	}
	return n
}

// skipColours skips a colour table if the flags announce one.
func skipColours(r *bufio.Reader, flags byte) bool {
	if flags&0x80 == 0 {
		return true
	}
	_, err := r.Discard(3 << (1 + flags&7))
	return err == nil
}
