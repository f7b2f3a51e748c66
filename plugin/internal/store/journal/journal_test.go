package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/store/journal"
)

// open opens a journal and returns what it replayed.
func open(t *testing.T, dir string) (*journal.Journal, []string) {
	t.Helper()
	var replayed []string
	j, err := journal.Open(dir, func(records [][]byte) error {
		for _, r := range records {
			replayed = append(replayed, string(r))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j, replayed
}

func add(t *testing.T, j *journal.Journal, record string) journal.Ticket {
	t.Helper()
	ticket, err := j.Append([]byte(record))
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func size(t *testing.T, dir string) (n int64) {
	t.Helper()
	for i := range 2 {
		info, err := os.Stat(filepath.Join(dir, fmt.Sprintf("journal.%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}

// Appended records are replayed, once, although nobody closed the journal.
func TestReplay(t *testing.T) {
	dir := t.TempDir()
	j, replayed := open(t, dir)
	if len(replayed) > 0 {
		t.Errorf("of an empty directory: %q", replayed)
	}
	add(t, j, "a")
	add(t, j, "b")
	if _, replayed = open(t, dir); !slices.Equal(replayed, []string{"a", "b"}) {
		t.Errorf("replayed %q", replayed)
	}
	if _, replayed = open(t, dir); len(replayed) > 0 || size(t, dir) > 0 {
		t.Errorf("replayed again: %q", replayed)
	}
}

// A record stays while the database does not accept it.
func TestReplayThatFails(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir)
	add(t, j, "a")
	down := errors.New("down")
	if _, err := journal.Open(dir, func([][]byte) error { return down }); !errors.Is(err, down) {
		t.Errorf("%v", err)
	}
	if _, replayed := open(t, dir); !slices.Equal(replayed, []string{"a"}) {
		t.Errorf("replayed %q", replayed)
	}
}

// A record that a power cut has torn ends the file: the records before it are there, and the next
// journal is whole.
func TestTorn(t *testing.T) {
	for cut := range 9 {
		dir := t.TempDir()
		j, _ := open(t, dir)
		add(t, j, "whole")
		add(t, j, "torn")
		path := filepath.Join(dir, "journal.0")
		if err := os.Truncate(path, size(t, dir)-int64(cut)); err != nil {
			t.Fatal(err)
		}
		want := []string{"whole"}
		if cut == 0 {
			want = append(want, "torn")
		}
		next, replayed := open(t, dir)
		if !slices.Equal(replayed, want) {
			t.Errorf("%d bytes short: %q", cut, replayed)
		}
		add(t, next, "next")
		if _, replayed := open(t, dir); !slices.Equal(replayed, []string{"next"}) {
			t.Errorf("%d bytes short, then %q", cut, replayed)
		}
	}
}

// The files are bounded, whether records are done in order, late or never.
func TestBounded(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir)
	record := string(bytes.Repeat([]byte("r"), 1000))
	var open []journal.Ticket
	for range 20_000 {
		if open = append(open, add(t, j, record)); len(open) == 100 {
			for _, ticket := range open {
				j.Done(ticket)
			}
			open = open[:0]
		}
	}
	if n := size(t, dir); n > 2<<20 {
		t.Errorf("%d bytes, of which nothing is needed", n)
	}
	if err := j.Sweep(); err != nil || size(t, dir) != 0 {
		t.Errorf("%d bytes after a sweep: %v", size(t, dir), err)
	}
	for err := error(nil); err == nil; {
		if _, err = j.Append([]byte(record)); err != nil && !errors.Is(err, journal.ErrFull) {
			t.Fatal(err)
		}
	}
	if n := size(t, dir); n > 8<<20 {
		t.Errorf("%d bytes", n)
	}
}

// FuzzReplay: whatever is in the file, every replayed record was appended whole.
func FuzzReplay(f *testing.F) {
	dir := f.TempDir()
	j, err := journal.Open(dir, func([][]byte) error { return nil })
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range []string{"a", "bc"} {
		if _, err := j.Append([]byte(r)); err != nil {
			f.Fatal(err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "journal.0"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:5])
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "journal.1"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		_, replayed := open(t, dir)
		for _, r := range replayed {
			if r == "" || !bytes.Contains(raw, []byte(r)) {
				t.Errorf("replayed %q", r)
			}
		}
		if size(t, dir) != 0 {
			t.Error("what was replayed is still there")
		}
	})
}
