package cli

import (
	"encoding/json"
	"io"
	"os"
	"regexp"
)

// maxSettings bounds a file of settings or secrets, in bytes.
const maxSettings = 1 << 20

func readSettings(path string) (map[string]json.RawMessage, error) {
	settings := map[string]json.RawMessage{}
	err := readObject(path, &settings, "the settings of each node by its name")
	return settings, err
}

// secretName is what a webhook may name: see schemas/webhook.filter.json.
var secretName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// readSecrets reads the secrets of the webhooks.
func readSecrets(path string) (map[string][]byte, error) {
	texts := map[string]string{}
	if err := readObject(path, &texts, "the text of each secret by its name"); err != nil {
		return nil, err
	}
	secrets := map[string][]byte{}
	for name, text := range texts {
		if !secretName.MatchString(name) || text == "" {
			return nil, invalid("%s: %.80q: a secret has a name of letters, digits and _, and a text", path, name)
		}
		secrets[name] = []byte(text)
	}
	return secrets, nil
}

// readObject reads a file with one JSON object; no path is an empty one.
func readObject(path string, into any, what string) error {
	if path == "" {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return &exit{exitInvalid, err}
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxSettings+1))
	if err != nil {
		return &exit{exitInvalid, err}
	}
	if len(raw) > maxSettings {
		return invalid("%s has more than %d bytes", path, maxSettings)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return invalid("%s: want a JSON object with %s: %w", path, what, err)
	}
	return nil
}
