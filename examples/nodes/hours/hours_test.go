package main

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tapnode/tapnode/sdk/nodetest"
)

// The node keeps the contract: the suite starts its binary as a host does.
func TestContract(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "hours")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	nodetest.Run(t, nodetest.Target{
		Binary:   binary,
		Settings: []byte(`{"zone": "Europe/Berlin"}`),
		Samples: []nodetest.Sample{
			{Operation: "hours.check@1", Input: []byte(`{"week": {"mon": ["09:00-12:00", "13:00-18:00"]}}`)},
		},
	})
}

func TestOpening(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	week := map[string][]string{"mon": {"09:00-12:00", "13:00-18:00"}, "sat": {"20:00-02:00"}, "sun": {"02:00-03:00"}}
	always := map[string][]string{}
	for _, day := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		always[day] = []string{"00:00-00:00"}
	}
	for _, c := range []struct {
		week      map[string][]string
		at, until string // until "": never
		open      bool
	}{
		{week, "2026-11-23T08:59:59+01:00", "2026-11-23T09:00:00+01:00", false},
		{week, "2026-11-23T09:00:00+01:00", "2026-11-23T12:00:00+01:00", true},
		{week, "2026-11-23T12:00:00+01:00", "2026-11-23T13:00:00+01:00", false},
		{week, "2026-11-23T18:00:00+01:00", "2026-11-28T20:00:00+01:00", false},
		{week, "2026-11-29T01:00:00+01:00", "2026-11-29T03:00:00+01:00", true}, // since Saturday, and on
		{map[string][]string{"mon": {"09:00-10:00"}}, "2026-11-23T10:00:00+01:00", "2026-11-30T09:00:00+01:00", false},
		{week, "2026-10-24T21:00:00+02:00", "2026-10-25T03:00:00+01:00", true}, // the night that has an hour more
		{always, "2026-11-23T12:00:00+01:00", "", true},
		{nil, "2026-11-23T12:00:00+01:00", "", false},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		open, until := opening(c.week, at.In(berlin))
		got := ""
		if !until.IsZero() {
			got = until.Format(time.RFC3339)
		}
		if open != c.open || got != c.until {
			t.Errorf("at %s: %v until %q, want %v until %q", c.at, open, got, c.open, c.until)
		}
	}
}
