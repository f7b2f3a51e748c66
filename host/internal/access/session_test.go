package access

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// TestSessionsOfTwoHosts: what one host ends counts at no other any more, at once, and a code counts once
// among all of them.
func TestSessionsOfTwoHosts(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		here, there := open(t, db, c), open(t, db, c)
		lasts := func(secret string) bool {
			t.Helper()
			_, ok, err := there.Session(t.Context(), secret, true)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		token, made := create(t, here, Token{Scopes: []Scope{Read}})
		by := Caller{ID: made.ID, Scopes: made.Scopes}
		begin := func() (string, Session) {
			t.Helper()
			secret, s, err := here.Begin(t.Context(), by, token)
			if err != nil {
				t.Fatal(err)
			}
			return secret, s
		}
		one, s := begin()
		two, _ := begin()
		if !lasts(one) || !lasts(two) {
			t.Fatal("another host knows no session")
		}
		if ended, err := here.End(t.Context(), s.Caller, false); !ended || err != nil {
			t.Fatal(ended, err)
		}
		if lasts(one) || !lasts(two) {
			t.Error("ended sessions go on at another host, or others ended")
		}
		if err := here.Revoke(t.Context(), Owner(), made.ID); err != nil {
			t.Fatal(err)
		}
		if lasts(two) {
			t.Error("a session outlives its token at another host")
		}

		code, _, err := here.Link(t.Context(), AccountScopes())
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		redeemed := make(chan string, 20)
		for i := range 20 {
			all.Go(func() {
				secret, _, ok, err := []*Access{here, there}[i%2].Redeem(t.Context(), code)
				if err != nil {
					t.Error(err)
				}
				if ok {
					redeemed <- secret
				}
			})
		}
		all.Wait()
		if len(redeemed) != 1 || !lasts(<-redeemed) {
			t.Errorf("a code signed in %d times", len(redeemed)+1)
		}
	})
}

// TestSessionsAreBounded: those unused for longest make room, and nothing outlives its time.
func TestSessionsAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		a := open(t, db, c)
		token, made := create(t, a, Token{Scopes: []Scope{Read}})
		var secrets []string
		for range maxSessions + 2 {
			c.add(time.Second)
			secret, _, err := a.Begin(t.Context(), Caller{ID: made.ID}, token)
			if err != nil {
				t.Fatal(err)
			}
			secrets = append(secrets, secret)
			if _, _, err := a.Link(t.Context(), AccountScopes()); err != nil {
				t.Fatal(err)
			}
		}
		for i, secret := range secrets {
			if _, ok, err := a.Session(t.Context(), secret, false); ok != (i >= 2) || err != nil {
				t.Errorf("session %d of %d goes on: %v %v", i, len(secrets), ok, err)
			}
		}
		count := func(table string) (n int) {
			t.Helper()
			if err := db.Row(t.Context(), `SELECT count(*) FROM `+table, nil, &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if s, k := count("engine_sessions"), count("engine_codes"); s != maxSessions || k != maxCodes {
			t.Errorf("%d sessions and %d codes are kept", s, k)
		}
		c.add(idleTime + time.Second)
		if err := a.sweeper.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s, k := count("engine_sessions"), count("engine_codes"); s+k != 0 {
			t.Errorf("%d sessions and %d codes outlive their time", s, k)
		}
	})
}

// TestSessionOfAGivenToken ends when the environment gives another.
func TestSessionOfAGivenToken(t *testing.T) {
	c, db := newClock(), database(t, "")
	a := open(t, db, c)
	given := fmt.Sprintf("%064d", 1)
	if err := a.Give(given); err != nil {
		t.Fatal(err)
	}
	caller, _, err := a.Find(given)
	if err != nil {
		t.Fatal(err)
	}
	secret, _, err := a.Begin(t.Context(), caller, given)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok, err := a.Session(t.Context(), secret, true); !ok || err != nil || !s.May(Manage) {
		t.Errorf("%+v %v %v", s, ok, err)
	}
	later := open(t, db, c)
	if _, ok, err := later.Session(t.Context(), secret, true); ok || err != nil {
		t.Errorf("without the token: %v %v", ok, err)
	}
	if err := later.Give(given + "0"); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := later.Session(t.Context(), secret, true); ok || err != nil {
		t.Errorf("with another token: %v %v", ok, err)
	}
}

// TestSessionsSeen: what is over is listed no more, and looking is no use.
func TestSessionsSeen(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		a := open(t, db, c)
		token, made := create(t, a, Token{Scopes: []Scope{Read}})
		by := Caller{ID: made.ID, Scopes: made.Scopes}
		if _, _, err := a.Begin(t.Context(), by, token); err != nil {
			t.Fatal(err)
		}
		c.add(time.Hour)
		_, later, err := a.Begin(t.Context(), by, token)
		if err != nil {
			t.Fatal(err)
		}
		seen := func(by Caller) (ids []string) {
			t.Helper()
			all, err := a.Sessions(t.Context(), by)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range all {
				ids = append(ids, s.Session)
			}
			return ids
		}
		if got := seen(Owner()); len(got) != 2 || got[0] != later.Session {
			t.Errorf("the owner sees %v", got)
		}
		if got := seen(Caller{ID: "another", Scopes: made.Scopes}); len(got) != 0 {
			t.Errorf("a stranger sees %v", got)
		}
		c.add(idleTime - time.Hour)
		if got := seen(by); len(got) != 1 || got[0] != later.Session {
			t.Errorf("after the first is over: %v", got)
		}
		if n, err := a.EndOthers(t.Context(), later.Caller); n != 1 || err != nil { // the one that is over, too
			t.Errorf("%d others ended: %v", n, err)
		}
		if ended, err := a.EndOf(t.Context(), Caller{ID: "another"}, later.Session); ended || err != nil {
			t.Errorf("a stranger ended it: %v", err)
		}
		if ended, err := a.EndOf(t.Context(), by, later.Session); !ended || err != nil {
			t.Errorf("not ended: %v", err)
		}
		if got := seen(Owner()); got != nil {
			t.Errorf("left: %v", got)
		}
	})
}
