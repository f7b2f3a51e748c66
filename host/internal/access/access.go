// Package access decides who may call the host's API and how often, and records what callers changed.
// Package api asks it; the tables are in the engine's database.
//
// What it guarantees:
//
//   - A token is shown once, when it is made or rotated, and kept as a hash. The time that a look-up
//     takes reveals nothing about the hashes that are kept.
//   - A token allows what its scopes say, for the instances it names, until it expires or is revoked.
//     Revoking takes effect here at once and at other hosts of the database within [reloadEvery]. A host
//     that cannot read the tokens for [staleAfter] lets nobody in.
//   - A browser that signs in, with a token or by a link that counts once, gets a session: a secret of
//     its own, kept as a hash. A session has the rights of its token and ends with it, and an ended
//     session is over on every host at once.
//   - A caller cannot give a token more rights than it has itself.
//   - A limit is a bucket that fills evenly, so a caller cannot use it twice at the edge of a window. It
//     outlives a restart; a killed host forgets what was used in its last [saveEvery].
//   - An address that tries tokens which do not exist is slowed down. Callers that are already known at
//     that address are not.
//   - What is kept is limited: [maxTokens], [maxSessions] of each, [maxCodes], a row for each caller of
//     the last minute, and [maxEntries] of the audit log, for [keepEntries].
package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"log/slog"
	"sync"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	shareEvery  = time.Second      // how often hosts of one database exchange what callers have used
	reloadEvery = 2 * time.Second  // how often tokens are read from a database that other hosts change, too
	staleAfter  = 30 * time.Second // so long after the last reload, no token is accepted any more
	saveEvery   = 5 * time.Second  // how often the limits and the last uses of tokens are stored
	storeTime   = 15 * time.Second // deadline of a job in the background
)

// Options configure an Access. DB is required.
type Options struct {
	DB        *sqldb.DB // with the host's tables
	Logger    *slog.Logger
	Now       func() time.Time // nil means time.Now
	PerMinute int              // requests of a caller; 0 means 100, as in the seed
}

// Access keeps the tokens, limits and audit log of a host. Its methods are safe for concurrent use.
type Access struct {
	db      *sqldb.DB
	log     *slog.Logger
	now     func() time.Time
	known   known
	seal    []byte // see sealed
	limits  map[Kind]*limits
	guesses *guesses
	sweeper *sqldb.Sweeper

	stop context.CancelFunc
	wg   sync.WaitGroup
}

// Open reads the tokens and the stored state of the limits.
func Open(ctx context.Context, opt Options) (*Access, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	if opt.PerMinute == 0 {
		opt.PerMinute = 100
	}
	a := &Access{db: opt.DB, log: opt.Logger, now: opt.Now, guesses: newGuesses(), seal: make([]byte, sha256.Size), stop: func() {}}
	rand.Read(a.seal)
	a.limits = map[Kind]*limits{Requests: newLimits(opt.PerMinute), Pages: newLimits(pagesPerMinute), Creations: newLimits(creationsPerMinute)}
	a.sweeper = sqldb.NewSweeper(opt.Logger, opt.DB.Sweeping(a.old), func(ctx context.Context, _ bool) error { return a.reload(ctx) })
	a.known.used = map[string]time.Time{}
	if err := a.reload(ctx); err != nil {
		return nil, err
	}
	return a, a.restore(ctx)
}

// Start keeps memory and database in step until Stop.
func (a *Access) Start() {
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	a.sweeper.Start()
	pause := saveEvery
	if a.shared() {
		pause = shareEvery
	}
	a.wg.Go(func() { a.every(ctx, pause, a.save, "limits could not be stored") })
	if a.shared() {
		a.wg.Go(func() { a.every(ctx, reloadEvery, a.reload, "tokens could not be read") })
	}
}

// Stop ends what Start began, and stores the limits and the last uses of tokens.
func (a *Access) Stop(ctx context.Context) error {
	a.stop()
	a.wg.Wait()
	a.sweeper.Stop()
	return a.save(ctx)
}

// shared says whether other hosts may change the database.
func (a *Access) shared() bool { return a.db.Dialect() == "postgres" }

func (a *Access) every(ctx context.Context, pause time.Duration, job func(context.Context) error, failed string) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		bounded, cancel := context.WithTimeout(ctx, storeTime)
		if err := job(bounded); err != nil && ctx.Err() == nil {
			a.log.Warn(failed, "err", sqldb.Reason(err))
		}
		cancel()
	}
}

// save stores the limits and the last uses of tokens.
func (a *Access) save(ctx context.Context) error {
	if err := a.saveLimits(ctx); err != nil {
		return err
	}
	return a.saveUse(ctx)
}

// old selects the rows that are no longer needed.
func (a *Access) old() []sqldb.Sweep {
	now := a.now()
	return []sqldb.Sweep{
		{Table: "engine_audit", Key: "id", Order: "stored_at, id", Over: "stored_at < $1", Before: now.Add(-keepEntries), Limit: maxEntries},
		{Table: "engine_tokens", Key: "id", Order: "expires_at", Over: "expires_at > 0 AND expires_at < $1", Before: now.Add(-keepExpired)},
		{Table: "engine_sessions", Key: "id", Order: "used_at, id", Over: "used_at < $1", Before: now.Add(-idleTime), Limit: maxAllSessions},
		{Table: "engine_sessions", Key: "id", Order: "used_at, id", Over: "created_at < $1", Before: now.Add(-LifeTime)},
		{Table: "engine_codes", Key: "hash", Order: "expires_at, hash", Over: "expires_at < $1", Before: now},
		{Table: "engine_buckets", Key: "caller, kind", Order: "at", Over: "at < $1", Before: now.Add(-2 * time.Minute)},
	}
}
