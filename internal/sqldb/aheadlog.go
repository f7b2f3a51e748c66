package sqldb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

const (
	// aheadSize is the size of each of the two files that a log of writes consists of.
	aheadSize = 2 << 20
	// aheadHead is the size of the header of a record: the record's length, a checksum (CRC-32C) of
	// number and record, and the number.
	aheadHead = 16
	// aheadBlock is the block size of a disk. Files are written in whole blocks, bypassing the
	// kernel's cache where possible.
	aheadBlock = 4 << 10
	// aheadBuffer is the minimum size of the write buffer. Go's allocator aligns a buffer of this
	// size to a page, as the disk requires.
	aheadBuffer = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errLogFull says that the log still needs its records, because the database may lose their rows. A
// new write goes to the database directly.
var errLogFull = errors.New("the log is full")

// aheadLog holds numbered records on the disk until the database has their rows there, too. One
// goroutine uses it at a time.
type aheadLog struct {
	files [2]aheadFile
	now   int    // index of the file that is written to
	next  uint64 // the number of the next record
	buf   []byte // the filled part of that file's last block
}

// aheadFile is one of the two files, which are written in turn, each from its beginning.
type aheadFile struct {
	path string
	*os.File
	size int64  // of the records written in this turn
	last uint64 // number of the last record written, in any turn; 0 for none
}

func newAheadLog(path string) *aheadLog {
	return &aheadLog{files: [2]aheadFile{{path: path + "-ahead0"}, {path: path + "-ahead1"}}}
}

// read returns the records after the one numbered applied, in order, up to the first that is
// missing.
func (l *aheadLog) read(applied uint64) (records [][]byte, err error) {
	found := map[uint64][]byte{}
	for _, f := range l.files {
		raw, err := readSome(f.path)
		if err != nil {
			return nil, err
		}
		split(raw, found)
	}
	for record, ok := found[applied+1]; ok; record, ok = found[applied+1] {
		records = append(records, record)
		applied++
	}
	return records, nil
}

func readSome(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	return io.ReadAll(io.LimitReader(f, aheadSize))
}

// split adds to found the records of a file's last turn: intact ones with consecutive numbers.
func split(raw []byte, found map[uint64][]byte) {
	for last := uint64(0); len(raw) >= aheadHead; {
		size, sum, number := binary.LittleEndian.Uint32(raw), binary.LittleEndian.Uint32(raw[4:]), binary.LittleEndian.Uint64(raw[8:])
		if size == 0 || uint64(size) > uint64(len(raw)-aheadHead) || last > 0 && number != last+1 ||
			crc32.Checksum(raw[8:aheadHead+size], castagnoli) != sum {
			return
		}
		found[number], last = raw[aheadHead:aheadHead+size], number
		raw = raw[aheadHead+size:]
	}
}

// begin empties the log. The next record gets the number after applied.
func (l *aheadLog) begin(applied uint64) error {
	l.next = applied + 1
	for _, f := range l.files {
		if err := os.Remove(f.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// append numbers the records and returns when they are on the disk. durable is the last number
// whose rows the database has on the disk, too. errLogFull: there is no room for all records.
func (l *aheadLog) append(records [][]byte, durable uint64) error {
	size := 0
	for _, record := range records {
		size += aheadHead + len(record)
	}
	f, err := l.room(int64(size), durable)
	if err != nil {
		return err
	}
	if need := len(l.buf) + size + aheadBlock; need > cap(l.buf) {
		l.buf = append(make([]byte, 0, max(need, aheadBuffer)), l.buf...)
	}
	begin, buf := f.size-int64(len(l.buf)), l.buf
	for i, record := range records {
		at := len(buf)
		buf = binary.LittleEndian.AppendUint32(buf, uint32(len(record)))
		buf = append(buf, 0, 0, 0, 0)
		buf = binary.LittleEndian.AppendUint64(buf, l.next+uint64(i))
		buf = append(buf, record...)
		binary.LittleEndian.PutUint32(buf[at+4:], crc32.Checksum(buf[at+8:], castagnoli))
	}
	// The zeros after the last record end the log for its reader. The records at the start of the
	// first block are written again unchanged: if the power is cut meanwhile, each of their bytes
	// is the same before and after.
	rest := len(buf) % aheadBlock
	whole := append(buf, make([]byte, (aheadBlock-rest)%aheadBlock)...)
	if _, err := f.WriteAt(whole, begin); err != nil {
		return fmt.Errorf("write to the log: %w", err)
	}
	l.buf = append(l.buf[:0], buf[len(buf)-rest:]...)
	f.size += int64(size)
	l.next += uint64(len(records))
	f.last = l.next - 1
	return nil
}

// room returns the file that has room for size more bytes.
func (l *aheadLog) room(size int64, durable uint64) (*aheadFile, error) {
	if f := &l.files[l.now]; f.size+size > aheadSize {
		if other := &l.files[1-l.now]; size > aheadSize || other.last > durable {
			return nil, errLogFull
		}
		l.now = 1 - l.now
		l.files[l.now].size, l.buf = 0, l.buf[:0]
	}
	f := &l.files[l.now]
	if f.File == nil {
		if err := f.create(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// create makes the file at its full size, because a write that does not make a file larger waits
// for its own data only.
func (f *aheadFile) create() error {
	err := f.open(direct)
	if errors.Is(err, syscall.EINVAL) { // not every file system supports direct
		err = f.open(0)
	}
	return err
}

func (f *aheadFile) open(how int) error {
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC|writeThrough|how, 0o600)
	if err != nil {
		return err
	}
	if _, err = file.Write(make([]byte, aheadSize)); err == nil {
		err = syncDir(filepath.Dir(f.path))
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.File = file
	return nil
}

// syncDir syncs the entries of a directory to the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (l *aheadLog) close() error {
	var errs []error
	for _, f := range l.files {
		if f.File != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
