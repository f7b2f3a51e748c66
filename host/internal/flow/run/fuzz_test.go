package run_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// FuzzApply: every flow that compiles starts, and any outcome of its calls and waits is then
// applied without an error, to a state within its bounds. Each byte of play is one event: its low
// bits select the kind, its high bits the visit.
func FuzzApply(f *testing.F) {
	for _, src := range flowtest.Sources(f, "../../../../examples/flows/*.yaml", "testdata/runs/*.txt") {
		f.Add(src, []byte{0x10, 0x12, 0x20, 0x21, 0x24})
	}
	cat := flowtest.Catalogue(f)
	f.Fuzz(func(t *testing.T, src, play []byte) {
		p, _, err := flow.Load(src, cat)
		if err != nil {
			return
		}
		for _, tr := range p.Flow().Triggers {
			s, _, err := run.Apply(p, run.State{Run: "r"}, run.Event{Kind: run.Started, Trigger: tr.ID, At: time.Unix(0, 0)})
			var invalid *flow.InvalidError
			if errors.As(err, &invalid) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, b := range play[:min(len(play), 100)] {
				e := run.Event{Visit: int(b >> 4), Attempt: 1, At: time.Unix(int64(i), 0)}
				switch b & 7 {
				case 0:
					e.Kind, e.Data = run.Succeeded, map[string]any{"port": "out", "messageId": "M"}
				case 1:
					e.Kind = run.Failed
				case 2:
					e.Kind, e.Type = run.Answered, "whatsapp.button.clicked.v1"
					e.Data = map[string]any{"button": map[string]any{"id": "yes"}}
				case 3:
					e.Kind, e.Type, e.Data = run.Answered, "whatsapp.message.received.v1", map[string]any{"text": "hello"}
				case 4:
					e.Kind = run.TimedOut
				case 5:
					e.Kind = run.RetryDue
				default:
					e.Kind = run.Cancelled
				}
				if s, _, err = run.Apply(p, s, e); err != nil {
					t.Fatal(err)
				}
				if n := len(mustJSON(t, s)); n > 4*run.MaxState {
					t.Fatalf("the state has %d bytes", n)
				}
			}
		}
	})
}
