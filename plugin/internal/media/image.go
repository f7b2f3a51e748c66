package media

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"os"

	"golang.org/x/image/draw"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
)

const (
	// maxDecoded is how much memory, in bytes, all pictures decoded at the same time may take; a
	// picture that needs more is not decoded. A small file can claim billions of pixels.
	maxDecoded = 64 << 20
	// thumbSide is the longer side of a thumbnail, in pixels.
	thumbSide = 96
	// convertedSide is the longer side of a converted picture, in pixels: WhatsApp's own clients
	// scale photos to this size.
	convertedSide = 1600
)

// picture describes a picture without decoding it.
type picture struct {
	size     image.Point // as stored
	turn     orientation
	animated bool
	memory   int64 // upper limit of the bytes that decoding takes
	// decode returns the first frame and its position on the canvas of the given size.
	decode func() (frame image.Image, at image.Point, err error)
}

// looks maps each format to the function that examines it.
var looks = map[string]func(file *io.SectionReader) (picture, error){
	"image/jpeg": lookJPEG,
	"image/png":  lookPNG,
	"image/gif":  lookGIF,
	"image/webp": lookWebP,
}

// examineImage measures the picture and gives it a thumbnail. WebP and GIF are converted to JPEG,
// because WhatsApp shows them as stickers or not at all. A JPEG or PNG is sent unchanged, even if
// we cannot decode it, because phones read more formats than we do: it then goes without a
// thumbnail.
func (l *Loader) examineImage(ctx context.Context, got *fetched, m *buttons.Media) error {
	convert := m.Mimetype != "image/jpeg" && m.Mimetype != "image/png"
	if !convert {
		known, err := l.previews.of(got, m)
		if known || err != nil {
			return err
		}
	}
	p, err := looks[m.Mimetype](whole(got.file))
	if err != nil {
		return damaged(err)
	}
	size := p.turn.size(p.size)
	m.Width, m.Height = uint32(size.X), uint32(size.Y)
	if p.animated {
		warn(m, warnAnimation, "The picture is animated; WhatsApp shows it as a still picture. Send a video for motion.")
	}
	if p.memory > maxDecoded {
		if convert {
			return &Error{Reason: TooLarge, Message: "the picture behind mediaUrl has too many pixels to be converted to JPEG: scale it down, or send it as JPEG or PNG"}
		}
		return nil
	}
	if err := l.memory.Acquire(ctx, p.memory); err != nil {
		return &Error{Reason: Internal, Retry: true, Message: "too many pictures were being read at the same time", Err: err}
	}
	defer l.memory.Release(p.memory)
	frame, at, err := p.decode()
	if err != nil && convert {
		return damaged(err)
	}
	if err != nil {
		warn(m, warnNoPreview, "The picture could not be read to its end, so it goes without a preview; phones may not show it.")
		return nil
	}
	if convert {
		small := p.turn.apply(flatten(frame, at, p.size, convertedSide))
		if err := l.convert(got, small); err != nil {
			return err
		}
		frame, at, p.size, p.turn = small, image.Point{}, small.Rect.Size(), upright
		m.Mimetype, m.Width, m.Height = "image/jpeg", uint32(p.size.X), uint32(p.size.Y)
	}
	var thumb bytes.Buffer
	if err := jpeg.Encode(&thumb, p.turn.apply(flatten(frame, at, p.size, thumbSide)), &jpeg.Options{Quality: 70}); err != nil {
		return &Error{Reason: Internal, Message: "no thumbnail could be made", Err: err}
	}
	m.Thumbnail = thumb.Bytes()
	if !convert {
		l.previews.keep(got, m)
	}
	return nil
}

func damaged(err error) error {
	return &Error{Reason: WrongType, Message: "the picture behind mediaUrl is damaged", Err: err}
}

// convert replaces the fetched file by a JPEG of the picture.
func (l *Loader) convert(got *fetched, picture image.Image) error {
	file, err := l.temporary()
	if err != nil {
		return err
	}
	if err := jpeg.Encode(file, picture, &jpeg.Options{Quality: 90}); err != nil {
		file.Close()
		return &Error{Reason: Internal, Message: "the picture could not be converted to JPEG", Err: err}
	}
	got.file.Close()
	got.file, got.sum = file, nil
	return nil
}

// flatten draws a frame on a white canvas, because JPEG has no transparency, scaled down so that
// the longer side of the canvas is at most side.
func flatten(frame image.Image, at, size image.Point, side int) *image.RGBA {
	scaled := func(p image.Point) image.Point { return p }
	if longer := max(size.X, size.Y); longer > side {
		scaled = func(p image.Point) image.Point { return image.Pt(p.X*side/longer, p.Y*side/longer) }
	}
	corner := scaled(size)
	canvas := image.NewRGBA(image.Rect(0, 0, max(1, corner.X), max(1, corner.Y)))
	draw.Draw(canvas, canvas.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	place := image.Rectangle{Min: scaled(at), Max: scaled(at.Add(frame.Bounds().Size()))}
	place.Max.X, place.Max.Y = max(place.Max.X, place.Min.X+1), max(place.Max.Y, place.Min.Y+1)
	draw.ApproxBiLinear.Scale(canvas, place, frame, frame.Bounds(), draw.Over, nil)
	return canvas
}

// whole returns a reader of the file from its beginning.
func whole(file *os.File) *io.SectionReader { return io.NewSectionReader(file, 0, 1<<62) }
