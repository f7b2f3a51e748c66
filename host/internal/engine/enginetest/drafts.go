package enginetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// drafts: a draft keeps its number until runs begin with it. Then the next draft gets another
// number, and the version of the runs is kept.
func drafts(t *testing.T, s suite) {
	a := s.archive(t)
	version := func(digest, source string, state engine.VersionState) engine.Version {
		return engine.Version{Digest: digest, Flow: "f", Source: []byte(source), State: state, Name: "named " + source, By: "by " + source}
	}
	put := func(digest, source string, state engine.VersionState) {
		t.Helper()
		if err := s.PutFlow(s.ctx, version(digest, source, state)); err != nil {
			t.Fatal(err)
		}
	}
	try := func(digest, source string) {
		t.Helper()
		if err := s.Try(s.ctx, version(digest, source, "")); err != nil {
			t.Fatal(err)
		}
	}
	look := func(want string) {
		t.Helper()
		all, _, err := a.Flows(s.ctx)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range all {
			full, err := s.Flow(s.ctx, v.Digest)
			if err != nil || v.Source != nil || v.Changed.IsZero() || full.Name != v.Name || v.By != "by "+string(full.Source) {
				t.Errorf("%+v, and whole %+v (%v)", v, full, err)
			}
			got = append(got, fmt.Sprintf("%d=%s:%s:%s", v.Number, v.Digest, v.State, full.Source))
		}
		if all := strings.Join(got, " "); all != want {
			t.Errorf("got  %s\nwant %s", all, want)
		}
	}
	put("", "bad", engine.Draft)
	look("1=draft:f:draft:bad")
	put("a", "a", engine.Draft)
	put("a", "a moved", engine.Draft)
	look("1=a:draft:a moved")
	put("p", "p", engine.Published)
	put("b", "b", engine.Draft)
	look("2=p:published:p 1=b:draft:b")
	try("b", "b")
	put("b", "b moved", engine.Draft)
	look("2=p:published:p 1=b:draft:b moved")
	put("c", "c", engine.Draft)
	look("3=c:draft:c 2=p:published:p 1=b:trial:b moved")
	put("b", "b again", engine.Draft)
	look("3=draft:f:draft:b again 2=p:published:p 1=b:trial:b moved")
	try("late", "of a draft that was replaced")
	look("4=late:trial:of a draft that was replaced 3=draft:f:draft:b again 2=p:published:p 1=b:trial:b moved")
	put("", "fits now", engine.Draft)
	try("d", "fits now")
	look("4=late:trial:of a draft that was replaced 3=d:draft:fits now 2=p:published:p 1=b:trial:b moved")
	if err := a.DropDraft(s.ctx, "f"); err != nil {
		t.Fatal(err)
	}
	if err := a.DropDraft(s.ctx, "f"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("dropped twice: %v", err)
	}
	look("4=late:trial:of a draft that was replaced 3=d:trial:fits now 2=p:published:p 1=b:trial:b moved")
	put("p", "p moved", engine.Draft)
	look("5=draft:f:draft:p moved 4=late:trial:of a draft that was replaced 3=d:trial:fits now 2=p:published:p 1=b:trial:b moved")
	put("p", "p moved", engine.Published)
	put("b", "b", engine.Published)
	look("4=late:trial:of a draft that was replaced 3=d:trial:fits now 2=p:retired:p moved 1=b:published:b")
}
