package watchers

import "testing"

// woken takes a token, if there is one.
func woken(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestWake(t *testing.T) {
	var s Set
	s.Wake("a") // nobody is there
	a, leaveA := s.Join("a")
	b, leaveB := s.Join("b")
	all, leaveAll := s.Join("")
	check := func(step string, wantA, wantB, wantAll bool) {
		t.Helper()
		if gotA, gotB, gotAll := woken(a), woken(b), woken(all); gotA != wantA || gotB != wantB || gotAll != wantAll {
			t.Errorf("%s: woken %v %v %v, want %v %v %v", step, gotA, gotB, gotAll, wantA, wantB, wantAll)
		}
	}
	check("at first", false, false, false)
	s.Wake("a")
	s.Wake("a")
	check("a changed, twice", true, false, true)
	check("and no more", false, false, false)
	s.WakeAll()
	check("all", true, true, true)
	s.Wake("")
	check("what belongs to no run", false, false, true)
	leaveA()
	s.Wake("a")
	check("a has left", false, false, true)
	leaveB()
	leaveAll()
	if len(s.byRun) != 0 {
		t.Errorf("%d are still there", len(s.byRun))
	}
}
