package events

import (
	"slices"
	"strings"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// told are members of our events whose texts say how something went, or are what the host's owner
// wrote. Those of other nodes may mean something else by them.
var told = strings.Fields(`at code correlation displayText form from nextStep operation quotedMessageId reason since source timestamp to`)

// Masked is an event as people see it who may not read what customers said: of numbers the last two
// digits are left, of texts their length. Events of runs, and of the outbox itself, have neither.
func (ev Event) Masked() Event {
	switch known := slices.ContainsFunc(kinds, func(k Catalogued) bool { return k.Type == ev.Type }); {
	case known && !strings.HasPrefix(ev.Type, "whatsapp."):
	case known:
		ev.Data = engine.MaskJSON(ev.Data, told...)
	default:
		ev.Data = engine.MaskJSON(ev.Data)
	}
	return ev
}
