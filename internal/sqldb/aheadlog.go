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
	// aheadHead is what is before each record: its length, a checksum (CRC-32C) of number and record, and its
	// number.
	aheadHead = 16
	// aheadBlock is what a disk takes at once. A file is written in whole ones, past the kernel's cache where that can be.
	aheadBlock = 4 << 10
	// aheadBuffer is the least room for what is written. Go's allocator begins so much with a page, as the disk wants it.
	aheadBuffer = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errLogFull is a log whose records the database may still lose: what is new is written there at once.
var errLogFull = errors.New("the log is full")

// aheadLog is numbered records on the disk, until the database has them there, too. One goroutine uses it at a
// time.
type aheadLog struct {
	files [2]aheadFile
	now   int    // the file that is written to
	next  uint64 // the number of the next record
	buf   []byte // the last block of that file, as far as it is full
}

// aheadFile is one of the two, which are written in turn, each from its beginning.
type aheadFile struct {
	path string
	*os.File
	size int64  // of the records that are of this turn
	last uint64 // number of the last one that was written, in whichever turn; 0 for none
}

func newAheadLog(path string) *aheadLog {
	return &aheadLog{files: [2]aheadFile{{path: path + "-ahead0"}, {path: path + "-ahead1"}}}
}

// read returns the records behind that with a number, in their order, up to the first that is missing.
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

// split finds the records of a file's last turn: whole ones, with numbers that follow each other.
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

// begin empties the log, which goes on behind a number.
func (l *aheadLog) begin(applied uint64) error {
	l.next = applied + 1
	for _, f := range l.files {
		if err := os.Remove(f.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// append numbers records and has them on the disk when it returns. durable is the last number of which the
// database is there, too. errLogFull: there is no room for all.
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
	// What follows in the block ends the log for its reader. What is in front of it in the last one is written again as it
	// is: if the power is cut meanwhile, each of its bytes is the same before and after.
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

// room returns the file that takes so many bytes.
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

// create makes the file as large as it will be: a write that does not make a file larger waits for its own data only.
func (f *aheadFile) create() error {
	err := f.open(direct)
	if errors.Is(err, syscall.EINVAL) { // not every file system can
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

// syncDir has the names in a directory on the disk.
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
