package filenode

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/tapnode/tapnode/sdk"
)

type line struct {
	Key         string `json:"key"`
	Text        string `json:"text"`
	Correlation string `json:"correlation,omitempty"`
}

// lines is the file, with its content also in memory.
type lines struct {
	mu    sync.Mutex
	file  *os.File
	size  int64
	at    map[int64]int // offset of a line → its index
	all   []line
	ends  []int64
	index map[string]int // by key
	grown chan struct{}  // closed by the next append
}

func openLines(dir string) (*lines, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lines"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	l := &lines{file: f, at: map[int64]int{}, index: map[string]int{}, grown: make(chan struct{})}
	if err := l.load(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// load reads every whole line and cuts off a partial line that a crash has left.
func (l *lines) load() error {
	b, err := os.ReadFile(l.file.Name())
	if err != nil {
		return err
	}
	for {
		whole, rest, found := bytes.Cut(b, []byte("\n"))
		if !found {
			break
		}
		var one line
		if err := json.Unmarshal(whole, &one); err != nil {
			return err
		}
		l.remember(one, int64(len(whole)+1))
		b = rest
	}
	return l.file.Truncate(l.size)
}

func (l *lines) remember(one line, length int64) {
	l.index[one.Key], l.at[l.size] = len(l.all), len(l.all)
	l.size += length
	l.all, l.ends = append(l.all, one), append(l.ends, l.size)
}

// append writes a line unless its key already has one, which it returns as before.
func (l *lines) append(one line) (end int64, before *line, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i, known := l.index[one.Key]; known {
		return l.ends[i], &l.all[i], nil
	}
	b := append(marshal(one), '\n')
	if _, err := l.file.WriteAt(b, l.size); err != nil {
		return 0, nil, err
	}
	if err := l.file.Sync(); err != nil {
		return 0, nil, err
	}
	l.remember(one, int64(len(b)))
	close(l.grown)
	l.grown = make(chan struct{})
	return l.size, nil, nil
}

// from returns a reader of the lines after a cursor.
func (l *lines) from(cursor []byte) (*reader, error) {
	if len(cursor) == 0 {
		return &reader{file: l}, nil
	}
	at, err := strconv.ParseInt(string(cursor), 10, 64)
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.at[at]; err != nil || !known && at != l.size {
		return nil, sdk.Invalid(sdk.Violation{Code: "unknown_cursor", Message: "the cursor is not from this file"})
	}
	return &reader{file: l, at: at}, nil
}

// next waits for the line at an offset.
func (l *lines) next(ctx context.Context, at int64) (line, int64, error) {
	for {
		l.mu.Lock()
		i, known := l.at[at]
		grown := l.grown
		if known {
			one, end := l.all[i], l.ends[i]
			l.mu.Unlock()
			return one, end, nil
		}
		l.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return line{}, 0, ctx.Err()
		}
	}
}

func (l *lines) close() error { return l.file.Close() }

func cursorOf(offset int64) []byte { return strconv.AppendInt(nil, offset, 10) }

// marshal encodes structs of strings and numbers, which cannot fail.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
