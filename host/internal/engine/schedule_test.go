package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

const hourly = `
apiVersion: flow/v1
kind: Flow
metadata: {id: hourly}
triggers: [{id: tick, type: schedule, with: {cron: "0 * * * *", zone: UTC, misfire: 2h}, to: say}]
nodes: [{id: say, type: whatsapp.sendText@1, with: {instance: demo, number: "1", contentText: "${ event.at } ${ event.missed }"}}]
`

// Every time of a schedule starts one run, on however many hosts. One run, for the last of them,
// makes up for the times that were missed. A new schedule makes up for nothing.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, p := engine.NewMemory(0), &phone{} // it is midnight
		time.Sleep(30 * time.Minute)
		r, other := newRig(t, log, p, hourly), newRig(t, log, p, hourly)
		time.Sleep(2*time.Hour + time.Minute)
		synctest.Wait()
		if p.count("2000-01-01T01:00:00Z false") != 1 || p.count("2000-01-01T02:00:00Z false") != 1 || p.made() != 2 {
			t.Errorf("after two hours: %+v", p.calls)
		}
		r.stop()
		other.stop()
		time.Sleep(5 * time.Hour)
		r = newRig(t, log, p, hourly)
		defer r.stop()
		synctest.Wait()
		if p.count("2000-01-01T07:00:00Z true") != 1 || p.made() != 3 {
			t.Errorf("after the host was away: %+v", p.calls)
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if p.count("2000-01-01T08:00:00Z false") != 1 || p.made() != 4 {
			t.Errorf("at the next hour: %+v", p.calls)
		}
		if started := r.steps("")[run.TraceRunStarted]; len(started) != 4 {
			t.Errorf("%d runs", len(started))
		}
	})
}
