package outbox

import (
	"encoding/binary"
	"errors"
)

// A cursor is the sequence of an event in this database: the database's id and
// the sequence, 8 bytes each, big endian. To its holder it is opaque.
const cursorSize = 16

// ErrCursor is a cursor that no store has made.
var ErrCursor = errors.New("the cursor is broken: subscribe without one to read from the oldest kept event")

func (o *Outbox) cursor(seq int64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, cursorSize), o.id[:]...), uint64(seq))
}

// sequence reads a cursor; an empty one is before everything. ours is false for
// one of another database.
func (o *Outbox) sequence(cursor []byte) (seq int64, ours bool, err error) {
	switch {
	case len(cursor) == 0:
		return 0, true, nil
	case len(cursor) != cursorSize:
		return 0, false, ErrCursor
	case [8]byte(cursor[:8]) != o.id:
		return 0, false, nil
	}
	seq = int64(binary.BigEndian.Uint64(cursor[8:]))
	if seq < 0 {
		return 0, false, ErrCursor
	}
	return seq, true, nil
}
