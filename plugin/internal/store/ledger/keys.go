package ledger

import (
	"context"
	"sync"

	"github.com/bits-and-blooms/bloom/v3"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// keys knows which keys the ledger may hold. Most that a caller comes with are new, and need no question to the
// database then. It is for a ledger that no other process writes to.
//
// It never takes a key for new that may be stored: every key is noted before it can be, and while what is stored is read
// those are noted that come meanwhile, and those that are being worked on. Until that is over, and now and then later, an old key
// is suspected in a new one.
type keys struct {
	mu     sync.Mutex
	known  *bloom.BloomFilter // nil: what is stored has not been read
	next   *bloom.BloomFilter // while it is read
	noted  uint               // since known was begun
	enough uint               // of them: it is read anew, for a filter with more room and without what is gone
}

const (
	suspects = 0.01    // how often a filter with as many keys as it is made for takes a new one for an old one
	fewKeys  = 1 << 16 // what a filter has room for, at least: 80 KB
	keysPage = 10_000  // are read at once
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

// together is a key as a filter takes it.
func together(operation, key string) []byte { return []byte(operation + "\x00" + key) }

// outgrown reports whether the keys are to be read.
func (k *keys) outgrown() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known == nil || k.noted > k.enough
}

// read learns what is stored, and what held says is being worked on. One call at a time.
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

// pages reads the keys of all rows, those that are on their way to the table included.
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
