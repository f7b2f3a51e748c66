package access

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/nodetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newClock() *clock { return &clock{at: time.Unix(1_800_000_000, 0)} }

// database has the host's tables.
func database(t *testing.T, postgres string) *sqldb.DB {
	t.Helper()
	log, err := sqllog.Open(t.Context(), sqllog.Options{Dir: t.TempDir(), Postgres: postgres})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return log.DB()
}

func open(t *testing.T, db *sqldb.DB, c *clock) *Access {
	t.Helper()
	a, err := Open(t.Context(), Options{DB: db, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// onBoth runs a test on SQLite and on Postgres.
func onBoth(t *testing.T, test func(t *testing.T, db *sqldb.DB)) {
	t.Run("sqlite", func(t *testing.T) { test(t, database(t, "")) })
	t.Run("postgres", func(t *testing.T) { test(t, database(t, sqldbtest.Postgres(t))) })
}

func create(t *testing.T, a *Access, token Token) (string, Token) {
	t.Helper()
	secret, made, err := a.Create(t.Context(), Owner(), token)
	if err != nil {
		t.Fatal(err)
	}
	return secret, made
}

// finds says whether a token counts for a host that has just read.
func finds(t *testing.T, a *Access, secret string) bool {
	t.Helper()
	if err := a.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, ok, err := a.Find(secret)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func status(err error) int {
	if p, ok := errors.AsType[*sdk.Problem](err); ok {
		return p.HTTPStatus
	}
	return 0
}

// TestTokens: what a token is good for, and until when.
func TestTokens(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		a, ctx := open(t, db, c), t.Context()
		first, err := a.First(ctx)
		if err != nil || first == "" {
			t.Fatalf("the first token: %q %v", first, err)
		}
		if again, err := a.First(ctx); again != "" || err != nil {
			t.Errorf("another first token: %v", err)
		}
		if caller, _, _ := a.Find(first); !caller.May(Manage) || caller.May(Reveal) || !caller.All() {
			t.Errorf("the first token may %v", caller)
		}
		c.add(time.Second)
		end := c.now().Add(time.Hour)
		secret, made := create(t, a, Token{Name: "till", Scopes: []Scope{Send}, Instances: []string{"shop", "bar"}, Expires: &end})
		caller, ok, err := a.Find(secret)
		if err != nil || !ok || caller.ID != made.ID || !caller.May(Send) || caller.May(Read) || !caller.Covers("bar") || caller.Covers("other") || caller.All() {
			t.Errorf("found %+v %v %v", caller, ok, err)
		}
		if finds(t, a, secret+"x") || finds(t, a, "") || finds(t, a, strings.ToUpper(secret)) {
			t.Error("another text is taken for the token")
		}
		var kept string
		if err := db.Row(ctx, `SELECT id || name || scopes || instances || hash || previous FROM engine_tokens WHERE id = $1`, []any{made.ID}, &kept); err != nil || strings.Contains(kept, secret[4:]) {
			t.Errorf("the token itself is stored: %v", err)
		}
		list, err := open(t, db, c).List(ctx) // another process
		if err != nil || len(list) != 2 || list[1].Name != "till" || !slices.Equal(list[1].Instances, made.Instances) || !list[1].Expires.Equal(end) {
			t.Errorf("list %+v %v", list, err)
		}

		rotated, after, err := a.Rotate(ctx, Owner(), made.ID, 10*time.Minute)
		if err != nil || !finds(t, a, rotated) || !finds(t, a, secret) || after.PreviousUntil == nil {
			t.Fatalf("rotation: %+v %v", after, err)
		}
		c.add(10 * time.Minute)
		if finds(t, a, secret) || !finds(t, a, rotated) {
			t.Error("the old secret outlives its grace, or the new one does not count")
		}
		c.add(50 * time.Minute)
		if finds(t, a, rotated) {
			t.Error("it counts after its end")
		}
		if err := a.Revoke(ctx, Owner(), made.ID); err != nil {
			t.Fatal(err)
		}
		if err := a.Revoke(ctx, Owner(), made.ID); status(err) != 404 {
			t.Errorf("revoked again: %v", err)
		}
	})
}

// TestNobodyGivesMoreThanTheyHave: neither by a new token nor by the secret of another.
func TestNobodyGivesMoreThanTheyHave(t *testing.T) {
	c := newClock()
	a, ctx := open(t, database(t, ""), c), t.Context()
	_, strong := create(t, a, Token{Scopes: []Scope{Manage, Reveal}})
	manager := Caller{ID: "m", Scopes: []Scope{Manage, Read}}
	if _, _, err := a.Create(ctx, manager, Token{Scopes: []Scope{Read, Send}}); status(err) != 403 {
		t.Errorf("send by a manager: %v", err)
	}
	if _, _, err := a.Rotate(ctx, manager, strong.ID, 0); status(err) != 403 {
		t.Errorf("rotation of a stronger token: %v", err)
	}
	if _, _, err := a.Create(ctx, manager, Token{Scopes: []Scope{Read}}); err != nil {
		t.Errorf("a weaker token: %v", err)
	}
	bound := Caller{ID: "b", Scopes: AccountScopes(), Instances: []string{"shop"}}
	if _, _, err := a.Create(ctx, bound, Token{Scopes: []Scope{Read}}); status(err) != 403 {
		t.Errorf("by a token of one instance: %v", err)
	}
	if err := a.Revoke(ctx, bound, strong.ID); status(err) != 403 {
		t.Errorf("revoked by a token of one instance: %v", err)
	}
	past := c.now()
	for _, wrong := range []Token{
		{}, {Scopes: []Scope{"admin"}}, {Scopes: []Scope{Read, Read}}, {Scopes: []Scope{Read}, Expires: &past},
		{Scopes: []Scope{Read}, Name: "a\nb"}, {Scopes: []Scope{Read}, Instances: []string{"two words"}}, {Scopes: []Scope{Read}, Instances: []string{""}},
	} {
		if _, _, err := a.Create(ctx, Owner(), wrong); status(err) != 422 {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	if _, _, err := a.Rotate(ctx, Owner(), strong.ID, MaxGrace+time.Second); status(err) != 422 {
		t.Errorf("endless grace: %v", err)
	}
}

// TestGivenToken: the token of the environment counts, is stored nowhere and cannot be changed here.
func TestGivenToken(t *testing.T) {
	db := database(t, "")
	a, ctx := open(t, db, newClock()), t.Context()
	for _, weak := range []string{"", "password", strings.Repeat("a b ", 10), strings.Repeat("ü", 40)} {
		if err := a.Give(weak); err == nil {
			t.Errorf("%q was taken", weak)
		}
	}
	given := strings.Repeat("0123456789abcdef", 2)
	if err := a.Give(given); err != nil {
		t.Fatal(err)
	}
	if caller, ok, err := a.Find(given); !ok || err != nil || caller.ID != givenID || !caller.May(Manage) {
		t.Errorf("found %+v %v", caller, err)
	}
	if first, err := a.First(ctx); first != "" || err != nil {
		t.Error("a second token was made beside it", err)
	}
	if err := a.Revoke(ctx, Owner(), givenID); status(err) != 409 {
		t.Errorf("revoked: %v", err)
	}
	if list, err := a.List(ctx); err != nil || len(list) != 1 || list[0].ID != givenID || list[0].LastUsed == nil {
		t.Errorf("list %+v %v", list, err)
	}
	if list, err := open(t, db, newClock()).List(ctx); err != nil || len(list) != 0 {
		t.Errorf("it was stored: %+v %v", list, err)
	}
}

// TestOtherHosts: a host of the same database hears of tokens, and lets nobody in when it has not
// read them for long.
func TestOtherHosts(t *testing.T) {
	c, db := newClock(), database(t, sqldbtest.Postgres(t))
	one, two := open(t, db, c), open(t, db, c)
	secret, made := create(t, one, Token{Scopes: []Scope{Read}})
	if !finds(t, two, secret) {
		t.Fatal("the other host does not know it")
	}
	if err := one.Revoke(t.Context(), Owner(), made.ID); err != nil {
		t.Fatal(err)
	}
	c.add(staleAfter + time.Second)
	if _, _, err := two.Find(secret); err == nil {
		t.Error("a host that has not read for long lets it in")
	}
	if finds(t, two, secret) {
		t.Error("a revoked token counts")
	}
}

// TestNewTokenCountsAtOnce: while others read the tokens, too, a new one is good when it is there, and a
// revoked one is good for nothing.
func TestNewTokenCountsAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		a := open(t, db, newClock())
		ctx, stop := context.WithCancel(t.Context())
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for ctx.Err() == nil {
					_ = a.reload(ctx) // it may be stopped
				}
			})
		}
		defer readers.Wait()
		defer stop()
		for n := range 100 {
			secret, made := create(t, a, Token{Scopes: []Scope{Read}})
			if _, ok, err := a.Find(secret); !ok || err != nil {
				t.Fatalf("token %d is not known: %v", n, err)
			}
			if err := a.Revoke(t.Context(), Owner(), made.ID); err != nil {
				t.Fatal(err)
			}
			if _, ok, _ := a.Find(secret); ok {
				t.Fatalf("token %d is good after it was revoked", n)
			}
		}
	})
}

// TestLimits: a bucket fills evenly, and a restart does not fill it.
func TestLimits(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		a := open(t, db, c)
		use := func(n int) (taken int) {
			for range n {
				if a.Use("t1", Requests).OK {
					taken++
				}
			}
			return taken
		}
		restart := func() {
			if err := a.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			a = open(t, db, c)
		}
		c.add(59 * time.Second) // the end of some window
		if n := use(150); n != 100 {
			t.Errorf("at once: %d", n)
		}
		c.add(2 * time.Second) // the next window: 2 s are 3 requests
		restart()
		if q := a.Use("t1", Requests); !q.OK || q.Remaining != 2 || q.Limit != 100 || q.Full != 59*time.Second {
			t.Errorf("after a restart: %+v", q)
		}
		if n := use(10); n != 2 {
			t.Errorf("in the next window: %d", n)
		}
		if q := a.Use("t1", Requests); q.OK || q.Next != time.Second || q.Remaining != 0 {
			t.Errorf("refused: %+v", q)
		}
		if q := a.Use("t2", Requests); !q.OK || q.Remaining != 99 {
			t.Errorf("another caller: %+v", q)
		}
		if q := a.Use("t1", Creations); !q.OK || q.Limit != 20 {
			t.Errorf("another limit: %+v", q)
		}
		c.add(30 * time.Second)
		restart()
		if n := use(100); n < 49 || n > 50 {
			t.Errorf("half a minute later: %d", n)
		}
		c.add(-time.Hour) // the clock is set back while it is away
		restart()
		if n := use(100); n > 1 {
			t.Errorf("with the clock set back: %d", n)
		}
		c.add(2 * time.Hour)
		restart()
		if n := use(150); n != 100 {
			t.Errorf("much later: %d", n)
		}
		if err := a.sweeper.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.add(time.Hour)
		if err := a.sweeper.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		var rows int
		if err := db.Row(t.Context(), `SELECT count(*) FROM engine_buckets`, nil, &rows); err != nil || rows != 0 {
			t.Errorf("%d rows are left: %v", rows, err)
		}
	})
}

// TestLimitsTogether: hosts of one database keep to a limit together. What a caller gets by asking
// all of them at once, it does not get afterwards.
func TestLimitsTogether(t *testing.T) {
	c, db := newClock(), database(t, sqldbtest.Postgres(t))
	all := []*Access{open(t, db, c), open(t, db, c), open(t, db, c)}
	taken := 0
	for range 4 * 60 { // four minutes
		for _, a := range all {
			for range 5 {
				if a.Use("t1", Requests).OK {
					taken++
				}
			}
		}
		c.add(time.Second)
		for _, a := range all {
			if err := a.save(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if taken < 4*100 || taken > 5*100+3*5 { // four minutes and the full bucket at first
		t.Errorf("%d requests were taken in four minutes", taken)
	}
	if q := all[0].Use("t2", Requests); !q.OK || q.Remaining != 99 {
		t.Errorf("another caller: %+v", q)
	}
}

// TestLimitOfManyAtOnce: requests side by side take no more than there is.
func TestLimitOfManyAtOnce(t *testing.T) {
	a := open(t, database(t, ""), newClock())
	var wg sync.WaitGroup
	taken := make(chan bool, 400)
	for range 4 {
		wg.Go(func() {
			for range 100 {
				taken <- a.Use("t1", Requests).OK
			}
		})
	}
	wg.Wait()
	close(taken)
	n := 0
	for ok := range taken {
		if ok {
			n++
		}
	}
	if n != 100 {
		t.Errorf("%d were taken", n)
	}
}

// TestGuessing: an address that is wrong too often waits, with each token that it has not used
// before; those who are known there go on, and other addresses too.
func TestGuessing(t *testing.T) {
	c := newClock()
	a := open(t, database(t, ""), c)
	here, there := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	if a.Guess(here, "t1") != 0 {
		t.Fatal("a good token has to wait")
	}
	for i := range wrongAtOnce {
		if a.Guess(here, "") != 0 {
			t.Fatalf("mistake %d has to wait", i+1)
		}
	}
	if a.Guess(here, "") == 0 {
		t.Error("one more need not wait")
	}
	if a.Guess(here, "t2") == 0 {
		t.Error("a token that was found by guessing is taken at once")
	}
	if a.Guess(here, "t1") != 0 || a.Guess(there, "") != 0 || a.Guess(there, "t2") != 0 {
		t.Error("others have to wait")
	}
	c.add(wrongEvery)
	if a.Guess(here, "t2") != 0 {
		t.Error("it waits for ever")
	}
	six, mapped := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.1")
	if networkOf(six) != networkOf(netip.MustParseAddr("2001:db8::ffff")) || networkOf(mapped) != networkOf(here) {
		t.Error("one network counts as two")
	}
	for i := range maxAddresses + 10 { // others make this one forgotten, and memory stays as it is
		a.Guess(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), "")
	}
	if n := a.guesses.wrong.Len(); n != maxAddresses {
		t.Errorf("%d addresses are remembered", n)
	}
}

// TestUse: when a token was used last is stored, and seldom.
func TestUse(t *testing.T) {
	c, db := newClock(), database(t, "")
	a, ctx := open(t, db, c), t.Context()
	secret, _ := create(t, a, Token{Scopes: []Scope{Read}})
	stored := func() uint64 {
		before := db.Stats().Writes
		finds(t, a, secret)
		if err := a.save(ctx); err != nil {
			t.Fatal(err)
		}
		return db.Stats().Writes - before
	}
	if n := stored(); n != 1 {
		t.Errorf("the first use makes %d writes", n)
	}
	c.add(30 * time.Second)
	if n := stored(); n != 0 {
		t.Errorf("the next makes %d", n)
	}
	c.add(31 * time.Second)
	if n := stored(); n != 1 {
		t.Errorf("one a minute later makes %d", n)
	}
	if list, err := open(t, db, c).List(ctx); err != nil || list[0].LastUsed == nil || !list[0].LastUsed.Equal(c.now()) {
		t.Errorf("list %+v %v", list, err)
	}
}

// TestAudit: pages of the log, newest first, and its end.
func TestAudit(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		a, ctx := open(t, db, c), t.Context()
		for _, action := range []string{"one", "two", "three\x00\xff" + strings.Repeat("x", 1000)} {
			c.add(time.Second)
			if err := a.Record(ctx, Entry{Caller: "t1", Action: action, From: "192.0.2.1", Status: 204}); err != nil {
				t.Fatal(err)
			}
		}
		page, err := a.Audit(ctx, "", 2)
		if err != nil || len(page) != 2 || len(page[0].Action) > maxAction || page[1].Action != "two" || page[1].Status != 204 || !page[0].Time.Equal(c.now()) {
			t.Fatalf("page %+v %v", page, err)
		}
		if rest, err := a.Audit(ctx, page[1].ID, 2); err != nil || len(rest) != 1 || rest[0].Action != "one" {
			t.Errorf("rest %+v %v", rest, err)
		}
		c.add(keepEntries)
		if err := a.sweeper.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		if left, err := a.Audit(ctx, "", 10); err != nil || len(left) != 1 {
			t.Errorf("after a year: %+v %v", left, err)
		}
	})
}

// TestStartStop: what is in memory comes to the database by itself.
func TestStartStop(t *testing.T) {
	db, c := database(t, ""), newClock()
	a := open(t, db, c)
	a.Start()
	a.Use("t1", Requests)
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	var level int
	if err := db.Row(t.Context(), `SELECT level FROM engine_buckets`, nil, &level); err != nil || level != 99_000 {
		t.Errorf("level %d %v", level, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	c.add(time.Second)
	a.Use("t1", Requests)
	if err := a.Stop(ended); err == nil {
		t.Error("a Stop that may not store says that it has")
	}
}

// TestImport takes over the file of an earlier host, once.
func TestImport(t *testing.T) {
	a, ctx := open(t, database(t, ""), newClock()), t.Context()
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := a.Import(ctx, path); err != nil {
		t.Errorf("without a file: %v", err)
	}
	const hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  // of ""
	const other = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // of "abc"
	wrong := []string{`[{"id":`, `[{"id":"1","scope":"account"}]`, `[{"id":"1","scope":"admin","sha256":"` + hash + `"}]`,
		`[{"id":"1","scope":"instance","sha256":"` + hash + `"}]`, `[{"id":"1","scope":"account","instance":"shop","sha256":"` + hash + `"}]`, `[{"id":"1","scope":"account","sha256":"00"}]`}
	for _, in := range nodetest.Hostile() {
		if in.Name != "empty array" { // which has no tokens
			wrong = append(wrong, string(in.Bytes))
		}
	}
	for _, bad := range wrong {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		err := a.Import(ctx, path)
		if after, _ := os.ReadFile(path); err == nil || !strings.Contains(err.Error(), path) || a.Len() != 0 || string(after) != bad {
			t.Errorf("%.100s was taken: %v", bad, err)
		}
	}
	good := `[{"id":"1","scope":"account","sha256":"` + hash + `","created":"2026-01-01T00:00:00Z","reveal":true},{"id":"2","scope":"instance","instance":"shop","sha256":"` + other + `","created":"2026-01-01T00:00:00Z"}]`
	for range 2 { // the second time a crash has left the file
		if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := a.Import(ctx, path); err != nil || a.Len() != 2 {
			t.Fatalf("%d tokens, %v", a.Len(), err)
		}
	}
	if c, ok, _ := a.Find("abc"); !ok || !c.Covers("shop") || c.All() {
		t.Errorf("of an instance: %+v", c)
	}
	if c, ok, _ := a.Find(""); !ok || !c.May(Reveal) || !c.All() {
		t.Errorf("of the account: %+v", c)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file is left: %v", err)
	}
}

// BenchmarkFind is what a request pays, with as many tokens as there may be.
func BenchmarkFind(b *testing.B) {
	a := &Access{now: time.Now}
	a.known.used = map[string]time.Time{}
	for range maxTokens - 1 {
		_, hash := newSecret(tokenPrefix)
		a.known.list = append(a.known.list, entry{Token: Token{ID: newID()}, hash: hash})
	}
	secret, hash := newSecret(tokenPrefix)
	a.known.list = append(a.known.list, entry{Token: Token{ID: newID()}, hash: hash})
	a.fill()
	db, err := sqldb.Open(b.Context(), sqldb.Options{Dir: b.TempDir(), File: "x.db"})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	a.db = db
	for b.Loop() {
		if _, ok, err := a.Find(secret); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// TestFirstOfTwo: of hosts that begin together on an empty database one makes the first token, which counts on both.
func TestFirstOfTwo(t *testing.T) {
	dsn := sqldbtest.Postgres(t)
	var hosts [2]*Access
	for i := range hosts {
		hosts[i] = open(t, database(t, dsn), newClock())
	}
	var secrets [2]string
	var both sync.WaitGroup
	for i, a := range hosts {
		both.Go(func() {
			var err error
			if secrets[i], err = a.First(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if (secrets[0] == "") == (secrets[1] == "") {
		t.Fatalf("the first tokens: %d and %d characters", len(secrets[0]), len(secrets[1]))
	}
	for i, a := range hosts {
		if caller, _, err := a.Find(secrets[0] + secrets[1]); err != nil || !caller.May(Manage) || a.Len() != 1 {
			t.Errorf("host %d knows %d tokens, and this one may %v (%v)", i, a.Len(), caller, err)
		}
	}
}
