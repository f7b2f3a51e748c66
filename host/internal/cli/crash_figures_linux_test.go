package cli

import (
	"maps"
	"net/http"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// crashFigures are the figures of /v1/insights, or those that the histories of all runs demand.
type crashFigures struct {
	Sent, Clicks, Wrote, Silent, Failed, Menus int64
}

// figures returns the host's figures, in total and for the taps of each button.
func (c *crash) figures() (all crashFigures, taps map[string]int64) {
	var said struct {
		Series []crashFigures
		Menus  []struct {
			Sent    int64
			Buttons []struct {
				Port string
				Taps int64
			}
		}
	}
	if err := c.host.control.get(c.t.Context(), http.MethodGet, v1("insights"), nil, nil, &said); err != nil {
		c.t.Fatal(err)
	}
	for _, s := range said.Series {
		all.Sent += s.Sent
		all.Clicks += s.Clicks
		all.Wrote += s.Wrote
		all.Silent += s.Silent
		all.Failed += s.Failed
	}
	taps = map[string]int64{}
	for _, m := range said.Menus {
		all.Menus += m.Sent
		for _, b := range m.Buttons {
			taps[b.Port] += b.Taps
		}
	}
	return all, taps
}

// counted compares the figures with the histories: everything that happened was counted once,
// whatever died meanwhile.
func (c *crash) counted(got crashFigures, taps map[string]int64, histories map[string][]engine.Step) {
	var want crashFigures
	tapped := map[string]int64{}
	for _, steps := range histories {
		arrived := false
		for _, s := range steps {
			switch {
			case s.Kind == run.TraceNodeSucceeded && s.MessageID != "" && s.Node != "menu":
				want.Sent++
			case s.Kind == run.TraceNodeSucceeded && s.MessageID != "":
				arrived = true
			case s.Kind == run.TraceWaitAnswered: // maybe before the outcome of the send
				arrived = true
				want.Clicks++
				tapped[s.Port]++
			case s.Kind == run.TraceWaitTimeout:
				want.Silent++
			case s.Kind == run.TraceNodeFailed:
				want.Failed++
			}
		}
		if arrived {
			want.Sent++
			want.Menus++
		}
	}
	if got != want || !maps.Equal(taps, tapped) || want.Menus != int64(len(c.runs)) {
		c.t.Errorf("the figures are %+v, taps %v; by the histories of the runs %+v, %v", got, taps, want, tapped)
	}
	c.t.Logf("figures: %+v, taps %v", got, taps)
}
