package media

import (
	"crypto/sha256"
	"io"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
)

// A campaign sends one picture to thousands of people. The picture is fetched for each of them,
// because the file behind a link may change at any time; but files with the same content are
// decoded only once.

// maxPreviews is how many previews are kept; a thumbnail takes 2 to 5 KiB.
const maxPreviews = 64

// preview is the result of decoding a picture.
type preview struct {
	width, height uint32
	thumbnail     []byte
}

// previews holds the previews of recent pictures by the SHA-256 of their files.
type previews struct {
	*lru.Cache[[sha256.Size]byte, preview]
}

func newPreviews() previews {
	known, err := lru.New[[sha256.Size]byte, preview](maxPreviews)
	if err != nil {
		panic(err) // maxPreviews is not positive
	}
	return previews{known}
}

// of completes m if the picture is known.
func (p previews) of(got *fetched, m *buttons.Media) (known bool, err error) {
	hash, _, err := got.hash()
	if err != nil {
		return false, err
	}
	one, known := p.Get([sha256.Size]byte(hash))
	if known {
		m.Width, m.Height, m.Thumbnail = one.width, one.height, one.thumbnail
	}
	return known, nil
}

// keep stores m's preview.
func (p previews) keep(got *fetched, m *buttons.Media) {
	if hash, _, err := got.hash(); err == nil {
		p.Add([sha256.Size]byte(hash), preview{m.Width, m.Height, m.Thumbnail})
	}
}

// hash returns the SHA-256 of the file, and its size.
func (f *fetched) hash() (sum []byte, size int64, err error) {
	if f.sum == nil {
		hash := sha256.New()
		if f.size, err = io.Copy(hash, whole(f.file)); err != nil {
			return nil, 0, &Error{Reason: Internal, Message: "the fetched file could not be read", Err: err}
		}
		f.sum = hash.Sum(nil)
	}
	return f.sum, f.size, nil
}
