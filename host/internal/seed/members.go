package seed

import (
	"bytes"
	"encoding/json"
)

// member is one of an object, its value as it was written.
type member struct {
	name  string
	value json.RawMessage
}

// members takes an object apart and keeps order, repetitions and what follows it, for whoever
// reads it next to refuse.
func members(raw []byte) (all []member, rest []byte, ok bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, false
	}
	for d.More() {
		t, err := d.Token()
		name, isName := t.(string)
		var value json.RawMessage
		if err != nil || !isName || d.Decode(&value) != nil {
			return nil, nil, false
		}
		all = append(all, member{name, value})
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, false
	}
	return all, raw[d.InputOffset():], true
}

// join is the opposite of members.
func join(all []member, rest []byte) []byte {
	out := []byte{'{'}
	for i, m := range all {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			continue // unreachable: strings always marshal
		}
		out = append(append(append(out, name...), ':'), m.value...)
	}
	return append(append(out, '}'), rest...)
}

func asBytes(items []json.RawMessage) [][]byte {
	out := make([][]byte, len(items))
	for i, item := range items {
		out[i] = item
	}
	return out
}
