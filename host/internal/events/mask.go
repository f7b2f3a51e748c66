package events

import (
	"slices"
	"strings"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// told are members of the catalogue's events that are not masked: they describe an outcome, or the
// host's owner wrote them. In an unknown node's events these names may have another meaning.
var told = strings.Fields(`at code correlation displayText form from nextStep operation quotedMessageId reason since source timestamp to`)

// Masked returns the event as shown to people who may not read what customers said: only the last
// two digits of numbers and the length of texts remain. Events of runs and of the outbox itself are
// unchanged, because they contain neither.
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
