package sqldb

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Records of every size, alone and in groups, can be read back as soon as append has returned, in
// any block of either file, also on an in-memory file system.
func TestLogBlocks(t *testing.T) {
	dirs := []string{t.TempDir()}
	if dir, err := os.MkdirTemp("/dev/shm", "log"); err == nil {
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		l := newAheadLog(filepath.Join(dir, "db"))
		check(t, l.begin(0))
		var all [][]byte
		for len(all) < 1000 {
			var group [][]byte
			for range 1 + rand.IntN(3) {
				size := 1 + rand.IntN(3*aheadBlock)
				if rand.IntN(4) == 0 { // the block is then full, or nearly so
					size = max(1, aheadBlock-aheadHead-len(l.buf)+rand.IntN(3)-1)
				}
				group = append(group, bytes.Repeat([]byte{byte(len(all) + len(group))}, size))
			}
			durable := max(0, len(all)-50)
			check(t, l.append(group, uint64(durable)))
			if all = append(all, group...); len(all) < 1000 && rand.IntN(8) > 0 {
				continue
			}
			found, err := newAheadLog(filepath.Join(dir, "db")).read(uint64(durable))
			check(t, err)
			if len(found) != len(all)-durable {
				t.Fatalf("%d records are read of %d", len(found), len(all)-durable)
			}
			for i, record := range found {
				if !bytes.Equal(record, all[durable+i]) {
					t.Fatalf("record %d is another", durable+i+1)
				}
			}
		}
		check(t, l.close())
	}
}
