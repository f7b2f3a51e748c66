package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// CheckSettings is [Schema.Check] for settings whose writeOnly members are passed separately, as
// secrets by JSON Pointer. Both are validated together; the result has the defaults and no secrets.
func (s *Schema) CheckSettings(settings []byte, secrets map[string][]byte) ([]byte, []Finding) {
	if len(settings) == 0 {
		settings = []byte("{}")
	}
	if f := Document(settings); f != nil {
		return nil, []Finding{*f}
	}
	if s == nil || s.root == nil {
		return settings, nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(settings))
	if err != nil {
		return nil, []Finding{{Code: "not_json", Message: "the settings are not JSON"}}
	}
	out := plainSecrets([]*jsonschema.Schema{s.root}, value, "") // before fill: a default is not a secret
	fill(s.root, value, 0)
	for _, pointer := range sortedKeys(secrets) {
		if !s.isSecret(pointer) || !put(value, pointer, string(secrets[pointer])) {
			out = append(out, Finding{Pointer: pointer, Code: "unknown_secret", Message: "the settings have no such secret"})
		}
	}
	out = append(out, s.Findings(value)...)
	if len(out) > 0 {
		return nil, out
	}
	for pointer := range secrets {
		take(value, pointer)
	}
	if settings, err = json.Marshal(value); err != nil {
		return nil, []Finding{{Code: "invalid", Message: "the defaults of the settings schema are not JSON"}}
	}
	return settings, nil
}

// isSecret reports whether the schema marks the value at the pointer as writeOnly.
func (s *Schema) isSecret(pointer string) bool {
	names, ok := jsonstrict.Tokens(pointer)
	if !ok || len(names) == 0 {
		return false
	}
	at := []*jsonschema.Schema{s.root}
	for _, name := range names {
		at = children(at, name)
	}
	return anyWriteOnly(at)
}

// plainSecrets finds secrets that were written into the settings themselves.
func plainSecrets(at []*jsonschema.Schema, value any, pointer string) []Finding {
	if pointer != "" && anyWriteOnly(at) {
		return []Finding{{Pointer: pointer, Code: "secret_in_settings", Message: "this is a secret", Suggestion: "pass it as a secret, not in the settings"}}
	}
	var out []Finding
	switch v := value.(type) {
	case map[string]any:
		for _, name := range sortedKeys(v) {
			out = append(out, plainSecrets(children(at, name), v[name], jsonstrict.Pointer(pointer, name))...)
		}
	case []any:
		for i, element := range v {
			name := strconv.Itoa(i)
			out = append(out, plainSecrets(children(at, name), element, pointer+"/"+name)...)
		}
	}
	return out
}

// children returns the schemas that can apply, through any branch, to a member or element of a
// value described by at.
func children(at []*jsonschema.Schema, name string) []*jsonschema.Schema {
	var out []*jsonschema.Schema
	index, err := strconv.Atoi(name)
	for _, s := range alternatives(at) {
		if p := s.Properties[name]; p != nil {
			out = append(out, p)
		}
		switch {
		case err != nil || index < 0:
		case index < len(s.PrefixItems):
			out = append(out, s.PrefixItems[index])
		case s.Items2020 != nil:
			out = append(out, s.Items2020)
		}
	}
	return out
}

// alternatives adds every schema that can apply to the same value.
func alternatives(at []*jsonschema.Schema) []*jsonschema.Schema {
	var out []*jsonschema.Schema
	seen := map[*jsonschema.Schema]bool{nil: true}
	for len(at) > 0 {
		s := at[0]
		at = at[1:]
		if seen[s] {
			continue
		}
		seen[s] = true
		out = append(out, s)
		at = slices.Concat(at, []*jsonschema.Schema{s.Ref, s.Then, s.Else}, s.AllOf, s.AnyOf, s.OneOf)
	}
	return out
}

func anyWriteOnly(at []*jsonschema.Schema) bool {
	return slices.ContainsFunc(alternatives(at), func(s *jsonschema.Schema) bool { return s.WriteOnly })
}

// put sets a member at a pointer and creates missing objects on the way.
func put(value any, pointer, secret string) bool {
	names, _ := jsonstrict.Tokens(pointer)
	for i, name := range names {
		switch v := value.(type) {
		case map[string]any:
			if i == len(names)-1 {
				v[name] = secret
				return true
			}
			if v[name] == nil {
				v[name] = map[string]any{}
			}
			value = v[name]
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 || n >= len(v) || i == len(names)-1 {
				return false
			}
			value = v[n]
		default:
			return false
		}
	}
	return false
}

// take removes what put set.
func take(value any, pointer string) {
	names, _ := jsonstrict.Tokens(pointer)
	for i, name := range names {
		switch v := value.(type) {
		case map[string]any:
			if i == len(names)-1 {
				delete(v, name)
			}
			value = v[name]
		case []any:
			if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < len(v) {
				value = v[n]
			}
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// SplitSecrets takes the writeOnly members out of settings, for a host whose users write both into
// one file. The secrets are keyed by JSON Pointer, as [Schema.CheckSettings] expects them. Only
// text in an object can be passed as a secret; anything else stays where it is, and CheckSettings
// says what is wrong with it. The error says that settings is not JSON.
func (s *Schema) SplitSecrets(settings []byte) (plain []byte, secrets map[string][]byte, err error) {
	if s == nil || s.root == nil || len(settings) == 0 {
		return settings, nil, nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(settings))
	if err != nil {
		return nil, nil, fmt.Errorf("the settings are not JSON: %w", err)
	}
	for _, found := range plainSecrets([]*jsonschema.Schema{s.root}, value, "") {
		if text, ok := takeText(value, found.Pointer); ok {
			if secrets == nil {
				secrets = map[string][]byte{}
			}
			secrets[found.Pointer] = []byte(text)
		}
	}
	if secrets == nil {
		return settings, nil, nil
	}
	plain, err = json.Marshal(value)
	return plain, secrets, err
}

// takeText removes a text from the object that contains it.
func takeText(value any, pointer string) (string, bool) {
	names, _ := jsonstrict.Tokens(pointer)
	for i, name := range names {
		object, ok := value.(map[string]any)
		if !ok {
			return "", false
		}
		if i < len(names)-1 {
			value = object[name]
			continue
		}
		text, ok := object[name].(string)
		if ok {
			delete(object, name)
		}
		return text, ok
	}
	return "", false
}
