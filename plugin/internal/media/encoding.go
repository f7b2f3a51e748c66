package media

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// body decodes the answer's Content-Encoding, which some servers use although it was not requested.
// It ignores a Content-Encoding that the bytes contradict, and any on a file whose type is itself a
// compressed one.
func body(resp *http.Response) (r io.Reader, encoded bool, err error) {
	r = resp.Body
	if slices.Contains([]string{"application/gzip", "application/x-gzip"}, withoutParameters(resp.Header.Get("Content-Type"))) {
		return r, false, nil
	}
	codings := strings.Split(strings.Join(resp.Header.Values("Content-Encoding"), ","), ",")
	for _, coding := range slices.Backward(codings) {
		buffered := bufio.NewReader(r)
		start, _ := buffered.Peek(2) // the next read reports any error again
		r = buffered
		var inner io.Reader
		switch coding = strings.ToLower(strings.TrimSpace(coding)); {
		case (coding == "gzip" || coding == "x-gzip") && bytes.Equal(start, []byte{0x1f, 0x8b}):
			inner, err = gzip.NewReader(buffered)
		case coding == "deflate" && len(start) == 2 && start[0]&15 == 8 && (int(start[0])<<8+int(start[1]))%31 == 0:
			inner, err = zlib.NewReader(buffered)
		case coding == "deflate":
			inner = flate.NewReader(buffered)
		case coding == "br" || coding == "zstd" || coding == "compress" || coding == "x-compress":
			return nil, false, &Error{Reason: WrongType, Message: fmt.Sprintf("mediaUrl answers with Content-Encoding %s, which was not asked for: serve the file as it is", coding)}
		default:
			continue
		}
		if err != nil {
			return nil, false, damage(err)
		}
		r, encoded = undamaged{inner}, true
	}
	return r, encoded, nil
}

// undamaged turns decoding errors of its reader into readable ones.
type undamaged struct{ io.Reader }

func (u undamaged) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	return n, damage(err)
}

func damage(err error) error {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	if corrupt || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, zlib.ErrHeader) || errors.Is(err, zlib.ErrChecksum) ||
		errors.Is(err, zlib.ErrDictionary) {
		return &Error{Reason: WrongType, Message: "mediaUrl answers a compressed file (Content-Encoding) that is damaged", Err: err}
	}
	return err
}
