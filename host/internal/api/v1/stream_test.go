package v1

import (
	"strconv"
	"testing"
)

// One token cannot take every stream of steps from the others.
func TestStreamsArePerToken(t *testing.T) {
	c := streams{each: map[string]int{}}
	var leave []func()
	for range maxStreamsPerCaller {
		l, p := c.join("a")
		if p != nil {
			t.Fatal(p)
		}
		leave = append(leave, l)
	}
	if _, p := c.join("a"); p == nil {
		t.Error("a token has more streams than it may")
	}
	l, p := c.join("b")
	if p != nil {
		t.Errorf("another token: %s", p)
	}
	for _, l := range append(leave, l) {
		l()
	}
	if c.all != 0 || len(c.each) != 0 {
		t.Errorf("left over: %+v", &c)
	}
	for i := range maxStreams {
		if _, p := c.join(strconv.Itoa(i)); p != nil {
			t.Fatal(p)
		}
	}
	if _, p := c.join("b"); p == nil {
		t.Error("there are more streams than there may be")
	}
}
