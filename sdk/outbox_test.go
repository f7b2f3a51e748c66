package sdk

import (
	"fmt"
	"strings"
	"testing"
)

func TestOutboxKeepsTheNewestProgress(t *testing.T) {
	o := newOutbox()
	for i := range 100 {
		o.progress("s", fmt.Sprint(i), nil)
	}
	if len(o.pending) != maxProgress || o.pending[0].GetMessage() != "36" || o.pending[maxProgress-1].GetMessage() != "99" {
		t.Errorf("%d reports from %s to %s", len(o.pending), o.pending[0].GetMessage(), o.pending[len(o.pending)-1].GetMessage())
	}
}

func TestOutboxIsClosedByTheCompletion(t *testing.T) {
	o := newOutbox()
	for range 2 * maxWarnings {
		o.warn(Warning{Code: "w"})
	}
	last := o.complete([]byte(`{}`), nil, nil).GetSucceeded()
	o.progress("late", "", nil)
	o.warn(Warning{Code: "late"})
	o.replayed()
	if len(last.GetWarnings()) != maxWarnings || last.GetReplayed() || len(o.pending) != 0 || o.repeated {
		t.Errorf("%d warnings, %d reports", len(last.GetWarnings()), len(o.pending))
	}
}

func TestOutboxLimitsSizes(t *testing.T) {
	o := newOutbox()
	o.progress("big", "", strings.Repeat("a", maxProgressData))
	o.progress("unwritable", "", make(chan int))
	for _, p := range o.pending {
		if p.GetData() != nil {
			t.Errorf("%s keeps its data", p.GetStage())
		}
	}
	if f := o.complete([]byte(strings.Repeat("a", MaxMessage)), nil, nil).GetFailed(); f.GetCode() != "output_too_large" {
		t.Errorf("got %v", f)
	}
}
