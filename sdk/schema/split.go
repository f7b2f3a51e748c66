package schema

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// SplitSecrets takes the writeOnly members out of settings, for a host whose users write both
// into one file: the secrets are by JSON Pointer, as [Schema.CheckSettings] wants them.
// Only text in an object can travel as a secret; anything else stays where it is, and CheckSettings
// says what is wrong with it. The error is that settings is not JSON.
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

// takeText removes a text from the object it is a member of.
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
