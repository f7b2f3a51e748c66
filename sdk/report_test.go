package sdk

import (
	"fmt"
	"strings"
	"testing"
)

func TestReportKeepsTheNewestProgress(t *testing.T) {
	r := newReport()
	for i := range 100 {
		r.progress("s", fmt.Sprint(i), nil)
	}
	if len(r.pending) != maxProgress || r.pending[0].GetMessage() != "36" || r.pending[maxProgress-1].GetMessage() != "99" {
		t.Errorf("%d reports from %s to %s", len(r.pending), r.pending[0].GetMessage(), r.pending[len(r.pending)-1].GetMessage())
	}
}

func TestReportIsClosedByTheCompletion(t *testing.T) {
	r := newReport()
	for range 2 * maxWarnings {
		r.warn(Warning{Code: "w"})
	}
	last := r.complete([]byte(`{}`), nil, nil).GetSucceeded()
	r.progress("late", "", nil)
	r.warn(Warning{Code: "late"})
	r.replayed()
	if len(last.GetWarnings()) != maxWarnings || last.GetReplayed() || len(r.pending) != 0 || r.repeated {
		t.Errorf("%d warnings, %d reports", len(last.GetWarnings()), len(r.pending))
	}
}

func TestReportLimitsSizes(t *testing.T) {
	r := newReport()
	r.progress("big", "", strings.Repeat("a", maxProgressData))
	r.progress("unwritable", "", make(chan int))
	for _, p := range r.pending {
		if p.GetData() != nil {
			t.Errorf("%s keeps its data", p.GetStage())
		}
	}
	if f := r.complete([]byte(strings.Repeat("a", MaxMessage)), nil, nil).GetFailed(); f.GetCode() != "output_too_large" {
		t.Errorf("got %v", f)
	}
}
