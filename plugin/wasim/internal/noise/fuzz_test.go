package noise

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
)

// pieces is a Transport that hands out data in pieces of the given sizes, the rest in one.
type pieces struct {
	data  []byte
	sizes []byte
}

func (p *pieces) Read(context.Context) ([]byte, error) {
	if len(p.data) == 0 {
		return nil, io.EOF
	}
	n := len(p.data)
	if len(p.sizes) > 0 {
		n, p.sizes = min(int(p.sizes[0]), n), p.sizes[1:]
	}
	out := slices.Clone(p.data[:n])
	p.data = p.data[n:]
	return out, nil
}

func (p *pieces) Write(context.Context, []byte) error { return nil }

// FuzzFrames checks that where a stream is cut makes no difference to the frames in it, and that none beats the limit.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x00\x00\x02ab\x00\x00\x00\x00\x00\x01c"), []byte{1, 2, 0, 3})
	f.Add([]byte("\x00\x01\x00short"), []byte{})
	f.Add([]byte("\xff\xff\xfflong"), []byte{4})
	f.Fuzz(func(t *testing.T, data, sizes []byte) {
		const limit = 300
		all := func(sizes []byte) (out [][]byte, err error) {
			f := &frames{t: &pieces{data: slices.Clone(data), sizes: sizes}, limit: limit}
			for {
				frame, err := f.read(t.Context())
				if err != nil {
					return out, err
				}
				if len(frame) > limit {
					t.Fatalf("a frame of %d bytes at a limit of %d", len(frame), limit)
				}
				out = append(out, frame)
			}
		}
		whole, err := all(nil)
		cut, errCut := all(sizes)
		if !slices.EqualFunc(whole, cut, bytes.Equal) || errors.Is(err, ErrFrameTooLarge) != errors.Is(errCut, ErrFrameTooLarge) {
			t.Fatalf("whole: %x, %v\ncut:   %x, %v", whole, err, cut, errCut)
		}
	})
}

// FuzzAccept is a peer that does not know the protocol: it is refused with an error, whatever it sends.
func FuzzAccept(f *testing.F) {
	id, err := NewRoot().Issue()
	if err != nil {
		f.Fatal(err)
	}
	hello := append([]byte("WA\x06\x03\x00\x00\x24\x12\x22\x0a\x20"), bytes.Repeat([]byte{9}, 32)...)
	f.Add(hello)
	f.Add(append([]byte("ED\x00\x01\x00\x00\x01x"), hello...))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, _, err := Accept(t.Context(), &pieces{data: data}, id, 1<<20); err == nil {
			t.Fatal("a handshake without keys succeeded")
		}
	})
}
