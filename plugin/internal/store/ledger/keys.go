package ledger

import (
	"context"
	"sync"

	"github.com/bits-and-blooms/bloom/v3"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// keys knows which keys the ledger may hold. Most keys that callers bring are new, and for those no
// database query is needed. It requires that no other process writes to the ledger.
//
// It never mistakes a key that may be stored for a new one: every key is noted before it can be
// stored, and while the stored keys are being read, the keys that arrive meanwhile and those that
// are being worked on are noted, too. Until the first read is complete, and occasionally later, it
// takes a new key for one that may be stored.
type keys struct {
	mu     sync.Mutex
	known  *bloom.BloomFilter // nil: the stored keys have not been read
	next   *bloom.BloomFilter // filled while the stored keys are read
	noted  uint               // keys since known was begun
	enough uint               // over it the keys are read again, for a filter with more room and without removed keys
}

const (
	suspects = 0.01    // false positives of a filter with as many keys as it is made for
	fewKeys  = 1 << 16 // capacity of a filter, at least: 80 KB
	keysPage = 10_000  // rows read at once
)

// mayHold notes a key, and reports whether it may have been noted or stored before.
func (k *keys) mayHold(operation, key string) bool {
	whole := together(operation, key)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.noted++
	if k.next != nil {
		k.next.Add(whole)
	}
	return k.known == nil || k.known.TestOrAdd(whole)
}

// together returns a key in the form that a filter takes.
func together(operation, key string) []byte { return []byte(operation + "\x00" + key) }

// outgrown reports whether the stored keys must be read (again).
func (k *keys) outgrown() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known == nil || k.noted > k.enough
}

// read fills a new filter with the stored keys and those that held says are being worked on. Only
// one call may run at a time.
func (k *keys) read(ctx context.Context, db *sqldb.DB, held *claims) error {
	var stored uint
	if err := db.Row(ctx, `SELECT count(*) FROM tapnode_ledger`, nil, &stored); err != nil {
		return err
	}
	room := max(fewKeys, 2*stored)
	k.mu.Lock()
	next := bloom.NewWithEstimates(room, suspects)
	k.next, k.noted = next, 0
	k.mu.Unlock()
	note := func(operation, key string) {
		k.mu.Lock()
		defer k.mu.Unlock()
		next.Add(together(operation, key))
	}
	held.each(note)
	err := pages(ctx, db, note)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next = nil
	if err == nil {
		k.known, k.enough = next, room-stored
	}
	return err
}

// pages calls each for the keys of all rows, including rows that are on their way to the table.
func pages(ctx context.Context, db *sqldb.DB, each func(operation, key string)) error {
	var last [2]string
	for n := keysPage; n == keysPage; {
		page, err := sqldb.All(ctx, db, func(row sqldb.Scanner) (k [2]string, err error) {
			err = row.Scan(&k[0], &k[1])
			return k, err
		}, `SELECT operation, idem_key FROM tapnode_ledger WHERE (operation, idem_key) > ($1, $2) ORDER BY operation, idem_key LIMIT $3`, last[0], last[1], keysPage)
		if err != nil {
			return err
		}
		for _, k := range page {
			each(k[0], k[1])
			last = k
		}
		n = len(page)
	}
	return nil
}
