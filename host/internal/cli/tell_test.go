package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/app"
	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// TestTellFlood: if there are too many steps to read, the first are printed, then how many were
// skipped, and then new ones. As JSON all are printed.
func TestTellFlood(t *testing.T) {
	const many = 5 * readable
	for _, asJSON := range []bool{false, true} {
		t.Run(fmt.Sprintf("json %v", asJSON), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			log := engine.NewMemory(0)
			e, err := engine.New(engine.Options{Log: log, Executor: nobody{}})
			if err != nil {
				t.Fatal(err)
			}
			h := &host{App: &app.App{Engine: e}, log: slog.New(slog.DiscardHandler)}
			publish := func(n int, kind run.TraceKind) {
				steps := make([]engine.Step, n)
				for i := range steps {
					steps[i] = engine.Step{Kind: kind, Run: "r1", Flow: "f"}
				}
				if err := log.Publish(ctx, steps...); err != nil {
					t.Fatal(err)
				}
			}
			publish(many, run.TraceNodeProgress)
			in, out := io.Pipe()
			told := make(chan error, 1)
			go func() { told <- h.tell(ctx, printer{out, asJSON, true}, 0) }()
			lines := bufio.NewScanner(in)
			printed, skipped := 0, 0
			for printed+skipped < many && lines.Scan() {
				if _, err := fmt.Sscanf(lines.Text(), "… about %d steps are not printed", &skipped); err != nil {
					printed++
				}
			}
			if asJSON != (skipped == 0) || printed+skipped != many {
				t.Errorf("%d steps were printed and %d not, of %d", printed, skipped, many)
			}
			publish(1, run.TraceRunFinished)
			if !lines.Scan() || !strings.Contains(lines.Text(), string(run.TraceRunFinished)) {
				t.Errorf("after the flood came %q", lines.Text())
			}
			cancel()
			if err := in.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-told; err != nil {
				t.Error(err)
			}
		})
	}
}

// nobody is an Executor that must not be called.
type nobody struct{}

func (nobody) Execute(context.Context, engine.Call, func(engine.Progress)) (engine.Result, error) {
	panic("no flow is deployed")
}
