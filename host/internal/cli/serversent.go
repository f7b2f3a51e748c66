package cli

import (
	"bufio"
	"bytes"
	"io"
	"iter"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// sentEvent is a server-sent event of a host, whose data is one line.
type sentEvent struct {
	id, kind string
	data     []byte // until the next
}

// silence is how long a host may say nothing: it shows several times as often that it lives.
const silence = time.Minute

// serverSent reads a stream of events until it ends, or the host is silent.
func serverSent(r io.ReadCloser) iter.Seq2[sentEvent, error] {
	return func(yield func(sentEvent, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, sdk.MaxMessage+64<<10)
		var ev sentEvent
		mute := time.AfterFunc(silence, func() { _ = r.Close() })
		defer mute.Stop()
		for lines.Scan() {
			mute.Reset(silence)
			name, value, _ := bytes.Cut(lines.Bytes(), []byte(": "))
			switch string(name) {
			case "id":
				ev.id = string(value)
			case "event":
				ev.kind = string(value)
			case "data":
				ev.data = value
				if !yield(ev, nil) {
					return
				}
				ev = sentEvent{}
			}
		}
		if err := lines.Err(); err != nil {
			yield(sentEvent{}, err)
		}
	}
}
