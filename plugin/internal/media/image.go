package media

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
)

const (
	// maxPixels is how large a picture may be to be decoded, one at a time: at worst
	// (progressive JPEG) 12 bytes each, 200 MB. A small file can claim billions.
	maxPixels = 16_000_000
	// thumbSide is the longer side of a thumbnail, in pixels.
	thumbSide = 96
	// convertedSide is the longer side of a converted picture: what WhatsApp's own
	// clients scale photos to.
	convertedSide = 1600
)

// codec reads one format.
type codec struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var codecs = map[string]codec{
	"image/jpeg": {jpeg.DecodeConfig, jpeg.Decode},
	"image/png":  {png.DecodeConfig, png.Decode},
	"image/gif":  {gif.DecodeConfig, gif.Decode}, // the first frame
	"image/webp": {webp.DecodeConfig, webp.Decode},
}

// examineImage measures the picture and gives it a thumbnail. WebP and GIF become
// JPEG: WhatsApp shows them as stickers or not at all.
func (l *Loader) examineImage(got *fetched, m *buttons.Media) error {
	c := codecs[m.Mimetype]
	convert := m.Mimetype != "image/jpeg" && m.Mimetype != "image/png"
	size, err := c.config(io.NewSectionReader(got.file, 0, 1<<62))
	if err != nil {
		return &Error{Reason: WrongType, Message: "the picture behind mediaUrl is damaged", Err: err}
	}
	m.Width, m.Height = uint32(size.Width), uint32(size.Height)
	if int64(size.Width)*int64(size.Height) > maxPixels {
		if convert {
			return &Error{Reason: TooLarge, Message: "the picture behind mediaUrl has more than 16 million pixels: only a JPEG or PNG may"}
		}
		return nil // sent as it is, without a thumbnail
	}
	l.decoding.Lock()
	defer l.decoding.Unlock()
	picture, err := c.decode(io.NewSectionReader(got.file, 0, 1<<62))
	if err != nil {
		return &Error{Reason: WrongType, Message: "the picture behind mediaUrl is damaged", Err: err}
	}
	if convert {
		small := flatten(picture, convertedSide)
		if err := l.convert(got, small); err != nil {
			return err
		}
		picture, m.Mimetype = small, "image/jpeg"
		m.Width, m.Height = uint32(small.Rect.Dx()), uint32(small.Rect.Dy())
	}
	m.Thumbnail, err = thumbnail(picture)
	if err != nil {
		return &Error{Reason: Internal, Message: "no thumbnail could be made", Err: err}
	}
	return nil
}

// convert puts a JPEG of the picture in place of the fetched file.
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
	got.file = file
	return nil
}

// thumbnail is a small JPEG of the picture.
func thumbnail(picture image.Image) ([]byte, error) {
	var buf bytes.Buffer
	err := jpeg.Encode(&buf, flatten(picture, thumbSide), &jpeg.Options{Quality: 70})
	return buf.Bytes(), err
}

// flatten draws the picture on white, since JPEG has no transparency, with the
// longer side no longer than side.
func flatten(picture image.Image, side int) *image.RGBA {
	size := picture.Bounds().Size()
	if longer := max(size.X, size.Y); longer > side {
		size = image.Pt(max(1, size.X*side/longer), max(1, size.Y*side/longer))
	}
	canvas := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(canvas, canvas.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.ApproxBiLinear.Scale(canvas, canvas.Bounds(), picture, picture.Bounds(), draw.Over, nil)
	return canvas
}
