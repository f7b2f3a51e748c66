package feed

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is an outbox with a tail, both of which can be opened again after they end.
type place struct {
	*Tail
	log *sqllog.Log
	opt events.Options
}

func onBoth(t *testing.T, test func(t *testing.T, p *place)) {
	t.Run("sqlite", func(t *testing.T) { test(t, open(t, sqllog.Options{Dir: t.TempDir()})) })
	t.Run("postgres", func(t *testing.T) { test(t, open(t, sqllog.Options{Postgres: sqldbtest.Postgres(t)})) })
}

func open(t *testing.T, o sqllog.Options) *place {
	t.Helper()
	log, err := sqllog.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	p := &place{log: log, opt: events.Options{DB: log.DB(), Told: log.Told, Secret: []byte("secret")}}
	p.begin()
	t.Cleanup(func() {
		p.Stop()
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *place) begin() {
	p.Tail = NewTail(events.New(p.opt), slog.New(slog.DiscardHandler))
	p.Start()
}

// again restarts the host.
func (p *place) again() {
	p.Stop()
	p.begin()
}

// tell puts events of an instance into the outbox, in one commit.
func (p *place) tell(t *testing.T, instance string, ids ...string) {
	t.Helper()
	p.put(t, outgoing(instance, 0, ids...)...)
}

func (p *place) put(t *testing.T, all ...engine.Outgoing) {
	t.Helper()
	if err := p.log.Tell(t.Context(), all...)(); err != nil {
		t.Fatal(err)
	}
}

func outgoing(instance string, size int, ids ...string) []engine.Outgoing {
	var all []engine.Outgoing
	for _, id := range ids {
		raw, _ := json.Marshal(map[string]string{"pad": strings.Repeat("x", size)})
		all = append(all, engine.Outgoing{ID: id, Type: "demo.event.v1", Instance: instance, Time: time.Now(), Data: raw})
	}
	return all
}

// sweep removes all events, as if they had been there for four days.
func (p *place) sweep(t *testing.T) {
	t.Helper()
	opt := p.opt
	opt.Now = func() time.Time { return time.Now().Add(4 * 24 * time.Hour) }
	later := events.New(opt)
	later.Start()
	for {
		page, err := later.Read(t.Context(), 0, events.Filter{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Events) == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := later.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// got is an event that a reader got.
type got struct {
	ID       string                                `json:"id"`
	Type     string                                `json:"type"`
	Sequence string                                `json:"sequence"`
	Data     struct{ After, Until, Reason string } `json:"data"`
}

// read reads until it has a given number of events.
func read(t *testing.T, r *Reader, n int) (all []got) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for len(all) < n {
		frames, err := r.Next(ctx)
		if err != nil {
			t.Fatalf("after %d of %d events: %v", len(all), n, err)
		}
		for _, f := range frames {
			var g got
			if err := json.Unmarshal(f.Body, &g); err != nil {
				t.Fatal(err)
			}
			if g.Type != events.TypeOpened && g.Sequence != f.Sequence {
				t.Fatalf("sequence %s of a frame with %s", f.Sequence, f.Body)
			}
			all = append(all, g)
		}
	}
	return all
}

func ids(all []got) (out []string) {
	for _, g := range all {
		out = append(out, g.ID)
	}
	return out
}

func (p *place) reader(t *testing.T, w Want) *Reader {
	t.Helper()
	r, err := p.Open(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func at(n uint64) *uint64 { return &n }

func numbered(from, to int) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("e%06d", i))
	}
	return out
}

// TestNothingIsMissed: readers that begin anywhere, read at any pace and come back after a restart
// of the host get each event once and in order.
func TestNothingIsMissed(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		const n = 3 * keptEvents // more than is in memory
		all := numbered(0, n)
		now := p.reader(t, Want{Opened: true})
		if o := read(t, now, 1); o[0].Type != events.TypeOpened || o[0].Data.After == "" {
			t.Fatalf("a reader is opened with %+v", o)
		}
		written := make(chan struct{})
		go func() {
			defer close(written)
			for some := range slices.Chunk(all, 100) {
				p.tell(t, "shop", some...)
			}
		}()
		if got := ids(read(t, now, n)); !slices.Equal(got, all) {
			t.Errorf("from now on: %d events, %v…", len(got), got[:3])
		}
		<-written
		old := read(t, p.reader(t, Want{After: at(0)}), n)
		if got := ids(old); !slices.Equal(got, all) {
			t.Errorf("from the oldest on: %d events, %v…", len(got), got[:3])
		}
		for _, i := range []int{0, 1, 500, n - 2000, n - 2} {
			p.again()
			p.tell(t, "other", fmt.Sprint("while away ", i))
			after, err := ParseSequence(old[i].Sequence)
			if err != nil {
				t.Fatal(err)
			}
			r := p.reader(t, Want{After: &after, Filter: events.Filter{Instances: []string{"shop"}}})
			if got := ids(read(t, r, n-i-1)); !slices.Equal(got, all[i+1:]) {
				t.Errorf("behind %d: %d events", i, len(got))
			}
		}
	})
}

// TestEventsOfAnotherHost: what another host puts into the database is read, too.
func TestEventsOfAnotherHost(t *testing.T) {
	dsn := sqldbtest.Postgres(t)
	p, other := open(t, sqllog.Options{Postgres: dsn}), open(t, sqllog.Options{Postgres: dsn})
	r := p.reader(t, Want{})
	other.tell(t, "shop", "theirs")
	p.tell(t, "shop", "ours")
	if got := ids(read(t, r, 2)); !slices.Equal(got, []string{"theirs", "ours"}) {
		t.Errorf("got %v", got)
	}
	other.tell(t, "shop", "theirs again")
	if got := ids(read(t, r, 1)); got[0] != "theirs again" {
		t.Errorf("got %v", got)
	}
}

// TestPagesEnd: the last page says that it is the last, although other things than events have
// positions, too; and a reader can continue from there.
func TestPagesEnd(t *testing.T) {
	p := open(t, sqllog.Options{Dir: t.TempDir()})
	p.tell(t, "shop", numbered(0, 5)...)
	if err := p.log.DB().Write(t.Context(), "steps", func(tx *sqldb.Tx) error {
		_, err := tx.Exec(`UPDATE engine_totals SET seq = seq + 100`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	after := uint64(0)
	for i, want := range []int{3, 2, 0} {
		frames, next, more, err := p.Page(t.Context(), Want{After: at(after)}, 3)
		if err != nil || len(frames) != want || more != (i == 0) {
			t.Errorf("page %d has %d events, more is %t, %v", i, len(frames), more, err)
		}
		if after, err = ParseSequence(next); err != nil {
			t.Fatal(err)
		}
	}
	r := p.reader(t, Want{After: &after})
	p.tell(t, "shop", "new")
	if got := ids(read(t, r, 1)); got[0] != "new" {
		t.Errorf("got %v", got)
	}
}

// TestGapIsSaid: when events were removed before they were read, or the sequence is of another
// outbox, the reader gets an event that says what may be missing, and continues after it.
func TestGapIsSaid(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		p.tell(t, "shop", numbered(0, 10)...)
		first := read(t, p.reader(t, Want{After: at(0)}), 10)
		after, err := ParseSequence(first[3].Sequence)
		if err != nil {
			t.Fatal(err)
		}
		p.sweep(t)
		p.tell(t, "shop", "new")
		for name, w := range map[string]Want{"removed": {After: &after}, "unknown": {After: at(1 << 60)}} {
			r := p.reader(t, w)
			g := read(t, r, 1)[0]
			if g.Type != events.TypeGap || g.Data.Reason != name || g.Data.After != events.Sequence(*w.After) || g.Sequence != g.Data.Until {
				t.Errorf("%s: got %+v", name, g)
			}
			if name == "removed" && g.Data.Until != first[9].Sequence {
				t.Errorf("missing until %s, want %s", g.Data.Until, first[9].Sequence)
			}
			p.tell(t, "shop", "after "+name)
			want := []string{"after " + name}
			if name == "removed" {
				want = append([]string{"new"}, want...)
			}
			if next := ids(read(t, r, len(want))); !slices.Equal(next[:1], want[:1]) {
				t.Errorf("%s: goes on with %v, want %v", name, next, want)
			}
			frames, _, _, err := p.Page(t.Context(), w, 10)
			if err != nil || len(frames) < 1 || !strings.Contains(string(frames[0].Body), events.TypeGap) {
				t.Errorf("%s: a page has %v, %v", name, frames, err)
			}
		}
		if r := read(t, p.reader(t, Want{After: at(0)}), 1); r[0].ID != "new" {
			t.Errorf("the oldest that is kept is %+v", r)
		}
	})
}

// TestRestored: readers come back to a host that was restored from an older copy. A reader that
// comes before there are new events learns that its sequence is not known; a reader that comes when
// the host has long passed its sequence gets everything since the copy was made.
func TestRestored(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	copied := open(t, sqllog.Options{Dir: first})
	copied.tell(t, "shop", numbered(0, 10)...)
	err := copied.log.DB().Write(t.Context(), "nothing more is written meanwhile", func(*sqldb.Tx) error {
		return os.CopyFS(second, os.DirFS(first))
	})
	if err != nil {
		t.Fatal(err)
	}
	copied.tell(t, "shop", numbered(10, 15)...)
	last := read(t, copied.reader(t, Want{After: at(0)}), 15)[14]
	after, err := ParseSequence(last.Sequence)
	if err != nil {
		t.Fatal(err)
	}

	restored := open(t, sqllog.Options{Dir: second})
	early := restored.reader(t, Want{After: &after})
	if g := read(t, early, 1)[0]; g.Type != events.TypeGap || g.Data.Reason != "unknown" || g.Data.After != last.Sequence {
		t.Errorf("the early reader gets %+v", g)
	}
	again := numbered(10, 40)
	restored.tell(t, "shop", again...)
	for name, r := range map[string]*Reader{"early": early, "late": restored.reader(t, Want{After: &after})} {
		if got := ids(read(t, r, len(again))); !slices.Equal(got, again) {
			t.Errorf("the %s reader gets %v", name, got)
		}
	}
}

// TestOvertaken: a reader so slow that its events are removed before it reads them is ended, and
// gets the gap event when it comes back.
func TestOvertaken(t *testing.T) {
	p := open(t, sqllog.Options{Dir: t.TempDir()})
	p.tell(t, "shop", numbered(0, 3*keptEvents)...)
	slow := p.reader(t, Want{After: at(0)})
	read(t, slow, 1)
	p.sweep(t)
	var err error
	for err == nil {
		_, err = slow.Next(t.Context())
	}
	if err != errSlow { //nolint:errorlint // to the letter
		t.Errorf("got %v", err)
	}
	if g := read(t, p.reader(t, Want{After: &slow.at}), 1); g[0].Type != events.TypeGap {
		t.Errorf("got %+v", g)
	}
}

// TestLargeEvents: a slow reader keeps few large events in memory, whether they come from the
// shared memory or from the store.
func TestLargeEvents(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		const size = 20 << 10
		large, small := numbered(0, 600), numbered(600, 700)
		p.put(t, outgoing("shop", size, large...)...)
		p.put(t, outgoing("shop", 0, small...)...)
		r := p.reader(t, Want{After: at(0)})
		var got []string
		most := 0
		for len(got) < len(large)+len(small) {
			frames, err := r.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, len(frames))
			held := 0
			for _, f := range frames {
				held += len(f.Body)
				var ev struct{ ID string }
				if err := json.Unmarshal(f.Body, &ev); err != nil {
					t.Fatal(err)
				}
				got = append(got, ev.ID)
			}
			if held > turnBytes+2*size {
				t.Fatalf("%d events of %d bytes at once", len(frames), held)
			}
		}
		if !slices.Equal(got, slices.Concat(large, small)) {
			t.Errorf("got %d events, or in another order", len(got))
		}
		if most < turnPage/2 {
			t.Errorf("%d small events at once", most)
		}
	})
}

// TestLargePages: a page ends when it is large, and says that there is more.
func TestLargePages(t *testing.T) {
	const size, n = 200 << 10, 60
	p := open(t, sqllog.Options{Dir: t.TempDir()})
	p.put(t, outgoing("shop", size, numbered(0, n)...)...)
	after, got := uint64(0), 0
	for more := true; more; {
		var frames []Frame
		var next string
		var err error
		if frames, next, more, err = p.Page(t.Context(), Want{After: &after}, 500); err != nil {
			t.Fatal(err)
		}
		if len(frames) == 0 || len(frames) > pageBytes/size+1 {
			t.Fatalf("a page of %d events", len(frames))
		}
		got += len(frames)
		if after, err = ParseSequence(next); err != nil {
			t.Fatal(err)
		}
	}
	if got != n {
		t.Errorf("%d events of %d", got, n)
	}
}

// TestRunsAreKeptForReaders: events of runs are kept while a reader reads them, and while it is
// away for a shorter time than events are kept.
func TestRunsAreKeptForReaders(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		tells := func(after time.Duration, opened bool) {
			t.Helper()
			opt := p.opt
			opt.Now = func() time.Time { return time.Now().Add(after) }
			s := events.New(opt)
			if !s.Tells() {
				t.Error("events of runs are not kept before anybody has looked")
			}
			s.Start()
			for s.Tells() != opened {
				time.Sleep(time.Millisecond) // the test's own time ends it
			}
			if err := s.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		tells(0, false)
		p.reader(t, Want{Filter: events.Filter{Instances: []string{"shop"}}})
		tells(0, false)
		p.reader(t, Want{})
		tells(0, true)
		tells(4*24*time.Hour, false)
	})
}
