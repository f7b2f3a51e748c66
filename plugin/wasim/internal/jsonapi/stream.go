package jsonapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Answer is an answer that an endpoint writes itself: a stream, or something that is not JSON.
type Answer func(http.ResponseWriter)

// Events writes server-sent events.
type Events struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

// NewEvents begins a stream whose reader may take so long for one event.
func NewEvents(w http.ResponseWriter, patience time.Duration) *Events {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // the request's would end the stream; where there is none, none has to go
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	return &Events{w, control, patience}
}

// Send sends a value under the name of its kind. It is false when nobody reads any more.
func (e *Events) Send(kind string, value any) bool {
	raw, err := json.Marshal(value)
	return err == nil && e.put(fmt.Sprintf("event: %s\ndata: %s\n\n", kind, raw))
}

// Beat shows that the stream lives.
func (e *Events) Beat() bool { return e.put(": alive\n\n") }

func (e *Events) put(text string) bool {
	if err := e.control.SetWriteDeadline(time.Now().Add(e.patience)); err != nil {
		return false
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return false
	}
	return e.control.Flush() == nil
}
