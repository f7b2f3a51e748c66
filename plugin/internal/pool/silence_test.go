package pool

import (
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// TestDeadLineIsNoticed: the server hears nothing any more although the connection
// stands. Missing keep-alives give it away.
func TestDeadLineIsNoticed(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	device := w.adopt(1)
	p := w.open(func(o *Options) { o.Limits.Silence = time.Second })
	i, err := p.Get("shop-001")
	must(t, err)
	w.until(i, "connected", in(Connected))
	logins := device.Logins()
	device.Deafen()
	w.until(i, "in trouble", trouble(codeKeepAlive))
	w.until(i, "connected again", func(s Status) bool { return s.State == Connected && s.Trouble == nil && device.Logins() > logins })
}
