// Package journal keeps small records in files until the database has them, so that an answer need
// not wait for a transaction.
//
// What the package guarantees:
//
//   - An appended record is there at the next [Open], even if the process was killed, unless
//     [Journal.Done] was called for it; a record that is done may be there, too. A power cut may
//     lose records, as it may lose the writes of sqldb.DB.WriteUnsynced.
//   - A record is read whole or not at all.
//   - The files hold at most 8 MiB, and nothing when no record is outstanding.
package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
)

const (
	// limit is the size that a file must not exceed.
	limit = 4 << 20
	// full is the size from which the other file is used, if that one is empty.
	full = 1 << 20
	// head is the length and the checksum (CRC-32C) before each record.
	head = 8
)

// ErrFull means that there is no room for a record: the caller waits for the database instead.
var ErrFull = errors.New("the journal is full")

// Journal is open for appending. Its methods are safe for concurrent use.
type Journal struct {
	mu    sync.Mutex
	files [2]file
	now   int // the file that records are appended to
	buf   []byte
}

type file struct {
	*os.File
	size int64
	open int // records that are not done
}

// Ticket is an appended record that is not done.
type Ticket struct{ file int }

// Open passes the records in a directory to store, in no particular order, and opens the journal
// for new ones if store returns nil. No other process may have it open.
func Open(dir string, store func(records [][]byte) error) (*Journal, error) {
	j := &Journal{}
	records, err := j.open(dir)
	if err == nil {
		err = store(records)
	}
	if err == nil {
		err = j.Sweep()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the journal: %w", err), j.Close())
	}
	return j, nil
}

func (j *Journal) open(dir string) (records [][]byte, err error) {
	for i := range j.files {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("journal.%d", i)), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		j.files[i].File = f
		raw, err := io.ReadAll(io.LimitReader(f, limit))
		if err != nil {
			return nil, err
		}
		j.files[i].size = int64(len(raw))
		records = append(records, split(raw)...)
	}
	return records, nil
}

// split returns the records of a file up to the first that is not whole.
func split(raw []byte) (records [][]byte) {
	for len(raw) >= head {
		size, sum := binary.LittleEndian.Uint32(raw), binary.LittleEndian.Uint32(raw[4:])
		raw = raw[head:]
		if size == 0 || uint64(size) > uint64(len(raw)) || crc32.Checksum(raw[:size], castagnoli) != sum {
			break
		}
		records, raw = append(records, raw[:size]), raw[size:]
	}
	return records
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append writes a record, which must not be empty. Once Append has returned, the end of this
// process cannot lose the record.
func (j *Journal) Append(record []byte) (Ticket, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range j.files {
		if err := j.files[i].tidy(); err != nil {
			return Ticket{}, err
		}
	}
	if j.files[j.now].size >= full && j.files[1-j.now].size == 0 {
		j.now = 1 - j.now
	}
	f := &j.files[j.now]
	if f.size+head+int64(len(record)) > limit {
		return Ticket{}, ErrFull
	}
	j.buf = binary.LittleEndian.AppendUint32(j.buf[:0], uint32(len(record)))
	j.buf = binary.LittleEndian.AppendUint32(j.buf, crc32.Checksum(record, castagnoli))
	j.buf = append(j.buf, record...)
	if n, err := f.WriteAt(j.buf, f.size); err != nil {
		if n > 0 {
			err = errors.Join(err, f.Truncate(f.size))
		}
		return Ticket{}, fmt.Errorf("append to the journal: %w", err)
	}
	f.size += int64(len(j.buf))
	f.open++
	return Ticket{j.now}, nil
}

// tidyFrom is the size below which a file is not truncated every time its last record is done.
const tidyFrom = 64 << 10

// tidy empties a file whose records are all done.
func (f *file) tidy() error {
	if f.open > 0 || f.size < tidyFrom {
		return nil
	}
	return f.empty()
}

func (f *file) empty() error {
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("empty the journal: %w", err)
	}
	f.size = 0
	return nil
}

// Done records that the database has a record.
func (j *Journal) Done(t Ticket) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.files[t.file].open--
}

// Sweep removes records that are done, which would otherwise stay until the next Append.
func (j *Journal) Sweep() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	for i := range j.files {
		if f := &j.files[i]; f.open == 0 && f.size > 0 {
			errs = append(errs, f.empty())
		}
	}
	return errors.Join(errs...)
}

// Close closes the files.
func (j *Journal) Close() error {
	var errs []error
	for _, f := range j.files {
		if f.File != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
