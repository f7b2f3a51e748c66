package media

import (
	"bytes"
	"encoding/binary"
	"image"
)

// orientation is how a picture is turned before it is shown, in EXIF numbering: 1 not at all, 2–4
// mirrored or upside down, 5–8 on its side. Any other value counts as 1.
type orientation uint16

const upright orientation = 1

// orientationOf reads the orientation tag from a picture's EXIF data, which is a TIFF file.
func orientationOf(exif []byte) orientation {
	exif = bytes.TrimPrefix(exif, []byte("Exif\x00\x00"))
	if len(exif) < 8 {
		return upright
	}
	var order binary.ByteOrder = binary.LittleEndian
	if exif[0] == 'M' {
		order = binary.BigEndian
	}
	start := int64(order.Uint32(exif[4:]))
	if start+2 > int64(len(exif)) {
		return upright
	}
	directory := exif[start:]
	entries := directory[2:]
	for range order.Uint16(directory) {
		if len(entries) < 12 {
			break
		}
		if order.Uint16(entries) == 0x0112 {
			if o := orientation(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
			break
		}
		entries = entries[12:]
	}
	return upright
}

func (o orientation) onItsSide() bool { return o >= 5 && o <= 8 }

// size returns the size at which a picture of the stored size is shown.
func (o orientation) size(stored image.Point) image.Point {
	if o.onItsSide() {
		return image.Pt(stored.Y, stored.X)
	}
	return stored
}

// apply turns a picture into the orientation in which it is shown.
func (o orientation) apply(stored *image.RGBA) *image.RGBA {
	if o < 2 || o > 8 {
		return stored
	}
	last := stored.Rect.Max.Sub(image.Pt(1, 1))
	shown := image.NewRGBA(image.Rectangle{Max: o.size(stored.Rect.Size())})
	for y := range shown.Rect.Max.Y {
		for x := range shown.Rect.Max.X {
			from := image.Pt(x, y)
			if o.onItsSide() {
				from = image.Pt(y, x)
			}
			switch o {
			case 2, 7, 8:
				from.X = last.X - from.X
			case 3:
				from = last.Sub(from)
			}
			switch o {
			case 4, 6, 7:
				from.Y = last.Y - from.Y
			}
			shown.SetRGBA(x, y, stored.RGBAAt(from.X, from.Y))
		}
	}
	return shown
}
