package leaktest

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

type tests func() int

func (t tests) Run() int { return t() }

// Goroutines that end by themselves are waited for, longer than goleak does.
func TestWaits(t *testing.T) {
	options := []goleak.Option{goleak.IgnoreCurrent()}
	code := waiting{tests(func() int {
		go time.Sleep(3 * time.Second)
		return 0
	}), options}.Run()
	if err := goleak.Find(options...); code != 0 || err != nil {
		t.Errorf("code %d, %v", code, err)
	}
}
