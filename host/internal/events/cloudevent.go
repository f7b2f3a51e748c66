package events

import (
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/tapnode/tapnode/schemas"
)

// CloudEvent is an event in the form of CloudEvents 1.0 in JSON.
type CloudEvent struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject,omitempty"`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	DataSchema      string          `json:"dataschema,omitempty"`
	Sequence        string          `json:"sequence,omitempty"` // its position in the outbox; a reader can resume after it
	Data            json.RawMessage `json:"data"`
}

// InCloudEvents puts an event into the form of CloudEvents. It leaves Source empty if the event has
// neither an instance nor a run.
func InCloudEvents(ev Event) CloudEvent {
	e := CloudEvent{SpecVersion: "1.0", ID: ev.ID, Type: ev.Type, Time: ev.Time.UTC(), DataContentType: "application/json", Sequence: sequenceOf(ev), Data: ev.Data}
	switch {
	case ev.Instance != "":
		e.Source, e.Subject = "/instances/"+url.PathEscape(ev.Instance), ev.Instance
	case ev.Run != "":
		e.Source, e.Subject = "/runs/"+url.PathEscape(ev.Run), ev.Run
	}
	for _, k := range kinds {
		if k.Type == ev.Type {
			e.DataSchema = schemas.Base + k.file
		}
	}
	return e
}

// Sequence formats a position for readers, so that the texts sort like the positions, as the
// sequence extension of CloudEvents requires.
func Sequence(position uint64) string { return fmt.Sprintf("%016d", position) }

// sequenceOf is the sequence of an event, or "" if the event is not in the outbox.
func sequenceOf(ev Event) string {
	if ev.Position == 0 {
		return ""
	}
	return Sequence(ev.Position)
}
