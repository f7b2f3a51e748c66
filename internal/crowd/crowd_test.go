package crowd

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Crowd
		for _, step := range []struct {
			after time.Duration
			who   string
			alone bool
		}{
			{0, "a", true},
			{time.Second, "a", true},
			{time.Second, "b", false},
			{time.Second, "b", false},
			{memory, "b", true},
			{memory, "a", false},
			{memory - time.Second, "a", false},
			{time.Second, "a", true},
		} {
			time.Sleep(step.after)
			if alone := c.Alone(step.who); alone != step.alone {
				t.Errorf("%s after %v: alone %v", step.who, step.after, alone)
			}
		}
	})
}
