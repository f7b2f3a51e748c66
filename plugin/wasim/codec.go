package wasim

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

var errStanza = errors.New("frame is not a stanza")

// decode reads one stanza from a frame of an untrusted client. The inflated stanza may have at most limit bytes. Input
// that makes whatsmeow's decoder panic is an error here.
func decode(frame []byte, limit int) (n *waBinary.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = nil, fmt.Errorf("%w: %v", errStanza, r)
		}
	}()
	if len(frame) < 2 {
		return nil, errStanza
	}
	const compressed = 2
	body := frame[1:]
	if frame[0]&compressed != 0 {
		if body, err = inflate(body, limit); err != nil {
			return nil, fmt.Errorf("%w: %w", errStanza, err)
		}
	}
	if n, err = waBinary.Unmarshal(body); err != nil {
		return nil, fmt.Errorf("%w: %w", errStanza, err)
	}
	return n, nil
}

func inflate(body []byte, limit int) ([]byte, error) {
	r, err := zlib.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(out) > limit {
		return nil, fmt.Errorf("more than %d bytes inflated", limit)
	}
	return out, nil
}

func text(n *waBinary.Node, key string) string {
	s, _ := n.Attrs[key].(string)
	return s
}

func address(n *waBinary.Node, key string) types.JID {
	j, _ := n.Attrs[key].(types.JID)
	return j
}

// child returns the first child with a tag, without copying it.
func child(n *waBinary.Node, tag string) *waBinary.Node {
	children := n.GetChildren()
	for i := range children {
		if children[i].Tag == tag {
			return &children[i]
		}
	}
	return nil
}

// payload returns the bytes in the first child with a tag.
func payload(n *waBinary.Node, tag string) []byte {
	c := child(n, tag)
	if c == nil {
		return nil
	}
	b, _ := c.Content.([]byte)
	return b
}
