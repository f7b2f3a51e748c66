package enginetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

func (s suite) archive(t *testing.T) engine.Archive {
	t.Helper()
	a, ok := s.Log.(engine.Archive)
	if !ok {
		t.Fatalf("%T is no engine.Archive", s.Log)
	}
	return a
}

// found are the ids of all runs that a query finds, page by page.
func (s suite) found(t *testing.T, q engine.Query) string {
	t.Helper()
	var out []string
	for {
		page, err := s.archive(t).Runs(s.ctx, q)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		for _, f := range page.Runs {
			out = append(out, f.Run)
		}
		if q.After = page.Next; q.After == "" {
			return strings.Join(out, " ")
		}
	}
}

// runsFound: every run is found by its properties, its subjects and the nodes it waits at, newest
// first.
func runsFound(t *testing.T, s suite) {
	for _, digest := range []string{"d1", "d2"} {
		if err := s.PutFlow(s.ctx, engine.Version{Digest: digest, Flow: "menu", Source: []byte(digest)}); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	put := func(id string, rev uint64, at int, over bool, x engine.Index) uint64 {
		x.Started = begun.Add(time.Duration(at) * time.Minute)
		if x.Flow == "" {
			x.Flow = "menu"
		}
		return s.append(t, engine.Batch{Run: id, Digest: []string{"d1", "d2"}[at%2], Expect: rev, State: []byte("{}"), Over: over, Index: x})
	}
	put("a", 0, 0, true, engine.Index{Status: run.StatusSucceeded, Subjects: []string{"5511999990001"}})
	rev := put("b", 0, 1, false, engine.Index{Status: run.StatusRunning, Waits: []string{"ask", "more"}, Subjects: []string{"5511999990001", "M1"}})
	put("c", 0, 2, true, engine.Index{Status: run.StatusFailed, Error: "send: send_failed", Subjects: []string{"7@lid"}})
	put("d", 0, 3, false, engine.Index{Flow: "other", Status: run.StatusRunning, Waits: []string{"ask"}})
	put("e", 0, 3, true, engine.Index{Status: run.StatusCancelled}) // with d in one moment

	for _, c := range []struct {
		q    engine.Query
		want string
	}{
		{engine.Query{}, "e d c b a"},
		{engine.Query{Limit: 2}, "e d c b a"},
		{engine.Query{Limit: 1}, "e d c b a"},
		{engine.Query{Flow: "menu", Limit: 1}, "e c b a"},
		{engine.Query{Flow: "none"}, ""},
		{engine.Query{Flow: "menu", Version: 1}, "c a"},
		{engine.Query{Flow: "menu", Version: 2, Limit: 1}, "e b"},
		{engine.Query{Status: run.StatusRunning, Limit: 1}, "d b"},
		{engine.Query{Status: run.StatusSucceeded, Limit: 1}, "a"},
		{engine.Query{Status: run.StatusFailed, Flow: "other"}, ""},
		{engine.Query{Flow: "menu", Node: "ask"}, "b"},
		{engine.Query{About: "+55 (11) 99999-0001", Limit: 1}, "b a"},
		{engine.Query{About: "5511999990001:3@s.whatsapp.net"}, "b a"},
		{engine.Query{About: "5511999990001", Status: run.StatusRunning}, "b"},
		{engine.Query{About: "7@lid"}, "c"},
		{engine.Query{About: "M1"}, "b"},
		{engine.Query{Since: begun.Add(time.Minute), Until: begun.Add(3 * time.Minute)}, "c b"},
		{engine.Query{Since: begun.Add(3 * time.Minute)}, "e d"},
		{engine.Query{Until: begun}, ""},
	} {
		if got := s.found(t, c.q); got != c.want {
			t.Errorf("%+v finds %q, want %q", c.q, got, c.want)
		}
	}
	if n, err := s.archive(t).Waiting(s.ctx, "menu", "ask"); err != nil || len(n) != 1 || n["d2"] != 1 {
		t.Errorf("waiting at ask: %v %v, want one of d2", n, err)
	}
	if _, n, err := s.archive(t).Flows(s.ctx); err != nil || len(n) != 1 || n["d2"] != 2 {
		t.Errorf("waiting: %v %v, want two of d2", n, err)
	}
	put("b", rev, 1, true, engine.Index{Status: run.StatusSucceeded, Subjects: []string{"M2"}})
	if got := s.found(t, engine.Query{Flow: "menu", Node: "ask"}); got != "" {
		t.Errorf("%q still waits", got)
	}
	if got := s.found(t, engine.Query{About: "M2"}) + s.found(t, engine.Query{About: "M1"}); got != "bb" {
		t.Errorf("by a later message, and the first: %q, want b twice", got)
	}
	f, err := s.archive(t).Found(s.ctx, "b")
	if err != nil || f.Version != 2 || f.Flow != "menu" || f.Status != run.StatusSucceeded || f.Ended.IsZero() || len(f.Waits) != 0 ||
		!f.Started.Equal(begun.Add(time.Minute)) || !slices.Equal(f.About, []string{"5511999990001", "M1", "M2"}) {
		t.Errorf("found %+v (%v)", f, err)
	}
	if c, err := s.archive(t).Found(s.ctx, "c"); err != nil || c.Error != "send: send_failed" {
		t.Errorf("found %+v (%v)", c, err)
	}
	if _, err := s.archive(t).Found(s.ctx, "none"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("a run that is not there: %v, want ErrNotFound", err)
	}
	for _, q := range []engine.Query{{Limit: -1}, {Limit: 501}, {Node: "ask"}, {Version: 1}, {After: "nonsense"}, {Status: "asleep"}} {
		if _, err := s.archive(t).Runs(s.ctx, q); !errors.Is(err, engine.ErrBadQuery) {
			t.Errorf("%+v: %v, want ErrBadQuery", q, err)
		}
	}
}

// published: versions are numbered, one version of a flow is published, and a draft is not
// published.
func published(t *testing.T, s suite) {
	a := s.archive(t)
	put := func(digest, flow string, state engine.VersionState) {
		t.Helper()
		if err := s.PutFlow(s.ctx, engine.Version{Digest: digest, Flow: flow, Source: []byte(digest), State: state}); err != nil {
			t.Fatal(err)
		}
	}
	look := func(want string) {
		t.Helper()
		var got []string
		for _, flow := range []string{"f", "g"} {
			all, err := a.Versions(s.ctx, flow)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range all {
				got = append(got, fmt.Sprintf("%s%d=%s:%s", v.Flow, v.Number, v.Digest, v.State))
			}
		}
		_, now, err := a.Published(s.ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range now {
			got = append(got, string(v.Source))
		}
		if all := strings.Join(got, " "); all != want {
			t.Errorf("got  %s\nwant %s", all, want)
		}
	}
	before, _, err := a.Published(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	put("one", "f", engine.Published)
	put("two", "f", "")
	put("uno", "g", engine.Published)
	look("f2=two:published f1=one:retired g1=uno:published two uno")
	put("one", "f", engine.Published) // an older one again
	put("draft", "f", engine.Draft)
	look("f3=draft:draft f2=two:retired f1=one:published g1=uno:published one uno")
	put("other", "f", engine.Draft) // in the place of the first
	look("f3=other:draft f2=two:retired f1=one:published g1=uno:published one uno")
	put("two", "f", engine.Draft) // as an older one: that one stays as it is
	look("f3=draft:f:draft f2=two:retired f1=one:published g1=uno:published one uno")
	put("", "f", engine.Draft) // one that cannot run
	look("f3=draft:f:draft f2=two:retired f1=one:published g1=uno:published one uno")
	put("one", "f", engine.Draft) // it is what is published: no draft
	look("f2=two:retired f1=one:published g1=uno:published one uno")
	put("other", "f", engine.Draft)
	put("other", "f", engine.Published)
	if err := a.Retire(s.ctx, "g"); err != nil {
		t.Fatal(err)
	}
	look("f3=other:published f2=two:retired f1=one:retired g1=uno:retired other")
	if err := a.Retire(s.ctx, "g"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("retired twice: %v, want ErrNotFound", err)
	}
	if v, err := s.Flow(s.ctx, "two"); err != nil || v.Number != 2 || v.State != engine.Retired || v.Changed.IsZero() {
		t.Errorf("version 2 is %+v (%v)", v, err)
	}

	after, _, err := a.Published(s.ctx)
	if err != nil || after == before {
		t.Fatalf("the generation is %d as before (%v)", after, err)
	}
	if err := a.Changed(s.ctx, before); err != nil {
		t.Error(err)
	}
	other := a // notices the change in the same process, or in another
	if s.place.Shared {
		other, _ = s.place.Open(t).(engine.Archive)
	}
	heard := make(chan error)
	go func() { heard <- other.Changed(s.ctx, after) }()
	put("three", "f", engine.Published)
	if err := <-heard; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	now, _, err := a.Published(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Changed(ctx, now); !errors.Is(err, context.Canceled) {
		t.Errorf("nothing changed: %v, want the end of the context", err)
	}
}
