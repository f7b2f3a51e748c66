package sqllog

import (
	"sync"

	"github.com/klauspost/compress/s2"
)

// A state is JSON, which begins with {, and is compressed when it would take more than a page of
// the database. The state of a run with hundreds of pending calls repeats itself hundreds of times
// and is written whole with each change: compressed, it takes a tenth of the space in the log, in
// the file and on the disk.
const (
	packFrom = 4 << 10
	packed   = 1 // the first byte of a packed state; s2 follows
	// maxUnpacked bounds what a broken row may ask for. A state is about 1 MiB at most.
	maxUnpacked = 64 << 20
)

func pack(state []byte) []byte {
	if len(state) < packFrom {
		return state
	}
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	*room = s2.Encode((*room)[:cap(*room)], state) // grows as needed
	return append([]byte{packed}, *room...)
}

// rooms are buffers for packing. Each is as large as the largest state packed in it lately needs,
// and mostly unused.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

// unpack returns a row that cannot be unpacked as it is: it is not JSON, so the engine reports that
// the run cannot be read.
func unpack(row []byte) []byte {
	if len(row) == 0 || row[0] != packed {
		return row
	}
	n, err := s2.DecodedLen(row[1:])
	if err != nil || n > maxUnpacked {
		return row
	}
	state, err := s2.Decode(nil, row[1:])
	if err != nil {
		return row
	}
	return state
}
