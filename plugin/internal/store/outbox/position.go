package outbox

import (
	"encoding/binary"
	"errors"
	"slices"
)

// position is how much of the log a subscriber has been given: everything up to seq, except that of
// an instance that was put aside it is everything up to its own place. See [Feed].
type position struct {
	seq   int64
	aside []place
}

// place is how much of an instance's events a subscriber has been given.
type place struct {
	instance string
	seq      int64
}

// of returns the sequence up to which an instance's events were given.
func (p position) of(instance string) int64 {
	for _, a := range p.aside {
		if a.instance == instance {
			return a.seq
		}
	}
	return p.seq
}

// floor returns the sequence up to which everything was given.
func (p position) floor() int64 {
	floor := p.seq
	for _, a := range p.aside {
		floor = min(floor, a.seq)
	}
	return floor
}

// A cursor is a position in this database: the database's id and the sequence, 8 bytes each,
// big endian, and for each instance that was put aside the length of its name, the name and
// its sequence. To its holder it is opaque.
const cursorSize = 16

// ErrCursor means that a cursor is malformed or, in [Outbox.Ack], of another database.
var ErrCursor = errors.New("the cursor is broken: subscribe without one to read from the oldest kept event")

func (o *Outbox) cursor(p position) []byte {
	b := binary.BigEndian.AppendUint64(append(make([]byte, 0, cursorSize+32*len(p.aside)), o.id[:]...), uint64(p.seq))
	for _, a := range p.aside {
		b = append(binary.AppendUvarint(b, uint64(len(a.instance))), a.instance...)
		b = binary.BigEndian.AppendUint64(b, uint64(a.seq))
	}
	return b
}

// position decodes a cursor; an empty one is before everything. ours is false for a cursor of
// another database.
func (o *Outbox) position(cursor []byte) (p position, ours bool, err error) {
	switch {
	case len(cursor) == 0:
		return position{}, true, nil
	case len(cursor) < cursorSize:
		return position{}, false, ErrCursor
	case [8]byte(cursor[:8]) != o.id:
		return position{}, false, nil
	}
	if p.seq = int64(binary.BigEndian.Uint64(cursor[8:])); p.seq < 0 {
		return position{}, false, ErrCursor
	}
	for rest := cursor[cursorSize:]; len(rest) > 0; {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > uint64(len(rest)) || len(rest) < size+int(n)+8 || len(p.aside) == maxAside {
			return position{}, false, ErrCursor
		}
		rest = rest[size:]
		a := place{string(rest[:n]), int64(binary.BigEndian.Uint64(rest[n:]))}
		known := slices.ContainsFunc(p.aside, func(b place) bool { return a.instance == b.instance })
		if a.seq < 0 || a.seq > p.seq || known {
			return position{}, false, ErrCursor
		}
		p.aside, rest = append(p.aside, a), rest[n+8:]
	}
	return p, true, nil
}
