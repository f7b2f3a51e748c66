package engine

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// Masked is the history for people who may not read what customers and flows said: it keeps only
// the last two digits of numbers and the length of texts. What says how the run went stays: nodes,
// ports, codes, times, ids of messages and buttons.
func (h History) Masked() History {
	h.Found = h.Found.Masked()
	h.Message = maskNumbers(h.Message)
	steps := make([]HistoryStep, len(h.Steps))
	for i, st := range h.Steps {
		st.Step = st.Masked()
		steps[i] = st
	}
	h.Steps = steps
	return h
}

// Masked is a found run without numbers.
func (f Found) Masked() Found {
	about := make([]string, len(f.About))
	for i, s := range f.About {
		about[i] = maskNumbers(s)
	}
	f.About = about
	return f
}

// Masked is a step without texts and numbers.
func (st Step) Masked() Step {
	st.Message = maskNumbers(st.Message)
	switch st.Kind {
	case run.TraceWaitArmed: // its data are the ports on offer
	case run.TraceRunStarted: // flows name their variables as they like
		st.Data = maskAll(st.Data)
	default:
		st.Data = masking(plain).value(st.Data, "", "")
	}
	warnings := slices.Clone(st.Warnings)
	for i := range warnings {
		warnings[i].Message = maskNumbers(warnings[i].Message)
	}
	st.Warnings = warnings
	return st
}

// Masked is a dead letter without texts and numbers.
func (l DeadLetter) Masked() DeadLetter {
	l.Message = maskNumbers(l.Message)
	l.Raw = maskText(l.Raw)
	l.Event.Data = MaskJSON(l.Event.Data)
	return l
}

// plain are the members whose texts say how something went, not what was said. All others are
// masked, however a node or a flow names them.
var plain = strings.Fields(`clickedAt httpStatus instance kind lateByMs level matchedBy mediaType messageId messageType ok port receivedAt
	renderedAs sentAt state status type until`)

// masking is the names of the members that are not masked.
type masking []string

// value masks a value. in is the name of the member that it belongs to, and of the name of the
// member around that.
func (m masking) value(v any, in, of string) any {
	told := slices.Contains(m, in) || in == "id" && (of == "button" || of == "buttons")
	switch v := v.(type) {
	case string:
		if told {
			return v
		}
		return maskText(v)
	case int, int64, uint64, float64:
		if s := fmt.Sprint(v); !told && len(s) > maxPlainNumber {
			return maskText(s)
		}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = m.value(v[i], in, of)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = m.value(v[k], k, in)
		}
		return out
	}
	return v
}

// maskAll masks all members of an object, whatever their names.
func maskAll(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return masking(plain).value(v, "", "")
	}
	out := make(map[string]any, len(m))
	for k := range m {
		out[k] = masking(plain).value(m[k], "", "")
	}
	return out
}

// maxPlainNumber is the length up to which a number cannot identify a person.
const maxPlainNumber = 4

// maskText replaces a text by its length, and a number by its last digits.
func maskText(s string) string {
	switch {
	case s == "" || s == "(concealed)":
		return s
	case onlyNumber.MatchString(s):
		return maskNumbers(s)
	}
	return fmt.Sprintf("(%d characters)", utf8.RuneCountInString(s))
}

var (
	// longNumber matches what may be a phone number, or the user part of a LID.
	longNumber = regexp.MustCompile(`(^|[^0-9A-Za-z])\+?\d[\d ().-]{4,}(\d\d)\b`)
	onlyNumber = regexp.MustCompile(`^\+?\d[\d ().-]{4,}\d\d(@[a-z.]+)?$`)
)

// maskNumbers masks each long number but for its last two digits. A number that is part of a word,
// such as an id, stays.
func maskNumbers(s string) string { return longNumber.ReplaceAllString(s, "${1}…${2}") }

// MaskJSON masks the texts and numbers in JSON, except in members that say how something went; told
// names more such members.
func MaskJSON(raw json.RawMessage, told ...string) json.RawMessage {
	v, err := flow.DecodeJSON(raw)
	if err != nil {
		return nil
	}
	masked, err := json.Marshal(masking(slices.Concat(plain, told)).value(v, "", ""))
	if err != nil {
		return nil
	}
	return masked
}
