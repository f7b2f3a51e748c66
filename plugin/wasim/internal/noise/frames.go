package noise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// Transport carries byte strings in order, like the binary messages of a websocket. Their boundaries have no meaning.
type Transport interface {
	Read(context.Context) ([]byte, error)
	Write(context.Context, []byte) error
}

const lengthSize = 3

// ErrFrameTooLarge says that a frame is longer than the limit.
var ErrFrameTooLarge = errors.New("frame too large")

// frames cuts a Transport into frames.
type frames struct {
	t     Transport
	limit int
	rest  []byte
}

// fill makes rest hold at least n bytes.
func (f *frames) fill(ctx context.Context, n int) error {
	for len(f.rest) < n {
		more, err := f.t.Read(ctx)
		if err != nil {
			return err
		}
		if len(f.rest) == 0 {
			f.rest = more // the usual case, one frame in one message, is not copied
		} else {
			f.rest = append(f.rest[:len(f.rest):len(f.rest)], more...)
		}
	}
	return nil
}

func (f *frames) take(n int) []byte {
	out := f.rest[:n:n]
	f.rest = f.rest[n:]
	return out
}

func (f *frames) read(ctx context.Context) ([]byte, error) {
	if err := f.fill(ctx, lengthSize); err != nil {
		return nil, err
	}
	n := int(f.rest[0])<<16 | int(f.rest[1])<<8 | int(f.rest[2])
	if n > f.limit {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFrameTooLarge, n, f.limit)
	}
	f.rest = f.rest[lengthSize:]
	if err := f.fill(ctx, n); err != nil {
		return nil, err
	}
	return f.take(n), nil
}

// frame writes the length in front of size bytes that follow; buf has room for both.
func frame(size int) []byte {
	buf := make([]byte, lengthSize, lengthSize+size)
	buf[0], buf[1], buf[2] = byte(size>>16), byte(size>>8), byte(size)
	return buf
}

// header reads the connection header: optionally routing information, then «WA», protocol 6, dictionary version.
func (f *frames) header(ctx context.Context) ([]byte, error) {
	const size = 4
	if err := f.fill(ctx, size); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(f.rest, []byte("ED\x00\x01")) {
		f.take(size)
		if _, err := f.read(ctx); err != nil {
			return nil, fmt.Errorf("routing information: %w", err)
		}
		if err := f.fill(ctx, size); err != nil {
			return nil, err
		}
	}
	head := f.take(size)
	if head[0] != 'W' || head[1] != 'A' || head[2] != 6 {
		return nil, fmt.Errorf("connection header % x is not «WA», 6", head)
	}
	return head, nil
}
