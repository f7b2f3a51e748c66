package process

import (
	"log/slog"
	"testing"
	"time"
)

func TestLateNewsDoNotUndoAnEnd(t *testing.T) {
	tr := newTracker(slog.New(slog.DiscardHandler))
	for _, state := range []State{Stopped, Starting, Draining, BackingOff, Quarantined} {
		tr.set(state, "", nil)
		tr.regrade(Ready, "")
		tr.regrade(Degraded, "unwell")
		if cur, _ := tr.get(); cur.State != state {
			t.Errorf("%s became %s", state, cur.State)
		}
	}
}

func TestASlowWatcherSeesTheNewest(t *testing.T) {
	tr := newTracker(slog.New(slog.DiscardHandler))
	var seen []State
	for st := range tr.watch(t.Context()) {
		seen = append(seen, st.State)
		switch st.State {
		case Stopped:
			tr.set(Starting, "", nil)
			tr.set(Ready, "", func(s *Status) { s.PID = 1 })
			tr.set(BackingOff, "crash", func(s *Status) { s.RetryAt = time.Now() })
		case BackingOff:
			tr.set(Starting, "", nil)
		}
		if st.State == Starting {
			if !st.RetryAt.IsZero() || st.Reason != "" {
				t.Errorf("what belonged to the last state is left: %+v", st)
			}
			break
		}
	}
	if len(seen) != 3 || seen[0] != Stopped || seen[1] != BackingOff || seen[2] != Starting {
		t.Errorf("seen %v", seen)
	}
}

func TestCrashReportsAreBounded(t *testing.T) {
	var l crashLog
	for i := range 100 {
		l.add(Crash{PID: i})
	}
	if got := l.copy(); len(got) != maxCrashes || got[maxCrashes-1].PID != 99 {
		t.Errorf("%d reports, the last %+v", len(got), got[len(got)-1])
	}
}
