package access

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Kind is the kind of a limit.
type Kind string

// The kinds of limits.
const (
	Requests  Kind = "requests"  // every request of a token
	Pages     Kind = "pages"     // every request of a session: a page makes more of them than a program
	Creations Kind = "creations" // creating instances
)

const (
	creationsPerMinute = 20
	pagesPerMinute     = 600
	// maxBuckets limits the callers that have a bucket: enough for all possible tokens and instances.
	maxBuckets = 11_000
	// saveBatch is how many rows one transaction stores.
	saveBatch = 500
)

// limits has a bucket for each caller, which holds the requests of a minute and fills evenly.
type limits struct {
	perMinute int
	buckets   *lru.Cache[string, *bucket]
}

type bucket struct {
	mu      sync.Mutex
	limiter *rate.Limiter
	used    int       // requests taken since it was stored
	at      time.Time // of the last request
	stored  time.Time // at, when it was stored
}

func newLimits(perMinute int) *limits {
	buckets, err := lru.New[string, *bucket](maxBuckets)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &limits{perMinute, buckets}
}

// Quota is the state of a caller's limit.
type Quota struct {
	Kind      Kind
	OK        bool          // this request is within the limit
	Limit     int           // a minute
	Remaining int           // requests that are left now
	Full      time.Duration // until the whole limit is available again, in whole seconds
	Next      time.Duration // until the next request is possible, in whole seconds
	At        time.Time     // now
}

// Use counts one request of a caller.
func (a *Access) Use(caller string, kind Kind) Quota {
	l := a.limits[kind]
	b := l.bucket(caller)
	b.mu.Lock()
	defer b.mu.Unlock()
	now := a.now() // under the lock, so that the bucket's time never goes back
	ok := b.limiter.AllowN(now, 1)
	if b.at = now; ok {
		b.used++
	}
	left := max(0, b.limiter.TokensAt(now))
	until := func(level float64) time.Duration {
		return time.Duration(math.Ceil(max(0, level-left)*60/float64(l.perMinute))) * time.Second
	}
	return Quota{Kind: kind, OK: ok, Limit: l.perMinute, Remaining: int(left), Full: until(float64(l.perMinute)), Next: until(1), At: now}
}

func (l *limits) bucket(caller string) *bucket {
	if b, ok := l.buckets.Get(caller); ok {
		return b
	}
	b := &bucket{limiter: rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), l.perMinute)}
	if first, raced, _ := l.buckets.PeekOrAdd(caller, b); raced {
		return first
	}
	return b
}

// row is a bucket in the database.
type row struct {
	caller string
	kind   Kind
	level  float64
	at     time.Time
	used   int
	of     *bucket
}

// saveLimits stores the buckets that were used since they were stored last. Hosts of one database share
// the buckets: each takes out of a stored bucket what was used there, and continues with what is left. So
// they keep to a limit together, except for what a caller uses at all of them within [shareEvery], which
// is deducted afterwards.
func (a *Access) saveLimits(ctx context.Context) error {
	var rows []row
	for kind, l := range a.limits {
		for _, caller := range l.buckets.Keys() {
			if b, ok := l.buckets.Peek(caller); ok {
				b.mu.Lock()
				if b.used > 0 || b.at.After(b.stored) {
					rows = append(rows, row{caller, kind, b.limiter.TokensAt(b.at), b.at, b.used, b})
				}
				b.mu.Unlock()
			}
		}
	}
	slices.SortFunc(rows, func(a, b row) int { // all hosts lock the rows in the same order
		return cmp.Or(cmp.Compare(a.caller, b.caller), cmp.Compare(a.kind, b.kind))
	})
	for len(rows) > 0 {
		part := rows[:min(saveBatch, len(rows))]
		rows = rows[len(part):]
		err := a.db.WriteUnsynced(ctx, "store limits", func(t *sqldb.Tx) error {
			for i := range part {
				r := &part[i]
				if err := a.together(t, r); err != nil {
					return err
				}
				_, err := t.Exec(`INSERT INTO engine_buckets (caller, kind, level, at) VALUES ($1, $2, $3, $4)
					ON CONFLICT (caller, kind) DO UPDATE SET level = excluded.level, at = excluded.at`, r.caller, string(r.kind), int64(r.level*1000), sqldb.Millis(r.at))
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, r := range part {
			r.of.mu.Lock()
			r.of.stored = r.at
			r.of.used -= r.used
			if a.shared() {
				r.of.lower(r.level, r.at)
			}
			r.of.mu.Unlock()
		}
	}
	return nil
}

// together sets the level of a row to what all hosts together have left.
func (a *Access) together(t *sqldb.Tx, r *row) error {
	if !a.shared() {
		return nil
	}
	var stored, at int64
	err := t.Row(`SELECT level, at FROM engine_buckets WHERE caller = $1 AND kind = $2 FOR UPDATE`, []any{r.caller, string(r.kind)}, &stored, &at)
	if errors.Is(err, sqldb.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	full := float64(a.limits[r.kind].perMinute)
	filling := max(0, r.at.Sub(sqldb.Time(at)).Minutes()) * full
	r.level = max(-full, min(full, float64(stored)/1000+filling)-float64(r.used))
	if last := sqldb.Time(at); last.After(r.at) {
		r.at = last
	}
	return nil
}

// lower takes out of the bucket what was used at other hosts.
func (b *bucket) lower(level float64, at time.Time) {
	for others := int(b.limiter.TokensAt(at) - level); others > 0; {
		n := min(others, b.limiter.Burst())
		b.limiter.ReserveN(at, n)
		others -= n
	}
}

// restore makes buckets from the stored rows, filled up by the time since then.
func (a *Access) restore(ctx context.Context) error {
	rows, err := sqldb.All(ctx, a.db, func(s sqldb.Scanner) (r row, err error) {
		var level, at int64
		err = s.Scan(&r.caller, &r.kind, &level, &at)
		r.level, r.at = float64(level)/1000, sqldb.Time(at)
		return r, err
	}, `SELECT caller, kind, level, at FROM engine_buckets WHERE at > $1 ORDER BY at DESC LIMIT $2`, sqldb.Millis(a.now().Add(-time.Minute)), 2*maxBuckets)
	if err != nil {
		return sqldb.Wrap("read the limits", err)
	}
	for _, r := range rows {
		l := a.limits[r.kind]
		if l == nil {
			continue
		}
		b := l.bucket(r.caller)
		at := r.at
		if now := a.now(); at.After(now) { // the clock was set back
			at = now
		}
		b.limiter.AllowN(at, max(0, min(l.perMinute, int(math.Ceil(float64(l.perMinute)-r.level)))))
	}
	return nil
}
