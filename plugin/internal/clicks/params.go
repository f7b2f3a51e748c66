package clicks

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// responseParams reads NativeFlowResponseMessage.ParamsJSON. Clients disagree on
// the names, and some write the id as a number; unknown members do not matter.
// Anything but an object gives nothing.
func responseParams(raw string) (id, label string) {
	if len(raw) > maxParams {
		return "", ""
	}
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(raw), &members) != nil {
		return "", ""
	}
	first := func(names ...string) string {
		for _, name := range names {
			if text := scalar(members[name]); text != "" {
				return text
			}
		}
		return ""
	}
	return first("id", "selectedRowId", "selected_row_id", "selectedId", "selected_id"),
		first("display_text", "title", "selectedDisplayText")
}

// scalar is a JSON string's text or a JSON number as it is written.
func scalar(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var number json.Number
	if json.Unmarshal(raw, &number) == nil {
		return number.String()
	}
	return ""
}

func either(a, b string) string {
	if strings.TrimSpace(a) != "" {
		return a
	}
	return b
}

// clean makes text from outside storable: UTF-8, without U+0000 (which PostgreSQL
// refuses), cut after so many characters.
func clean(text string, limit int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
	if !longer(text, limit) {
		return text
	}
	return string([]rune(text)[:limit])
}

func longer(text string, limit int) bool {
	return len(text) > limit && utf8.RuneCountInString(text) > limit
}
