package catalog

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// parse reads the contents of a lock file strictly: every member known, present and
// used once. The error joins all mistakes, each led by its JSON Pointer.
func parse(data []byte) (Lockfile, error) {
	if len(data) > maxLockfile {
		return Lockfile{}, fmt.Errorf("more than %d bytes", maxLockfile)
	}
	if err := wellFormed(data); err != nil {
		return Lockfile{}, err
	}
	var lock Lockfile
	err := object(data, "", map[string]func(json.RawMessage, string) error{
		"version": func(raw json.RawMessage, at string) error {
			if err := value(raw, at, &lock.Version); err != nil {
				return err
			}
			if lock.Version != lockVersion {
				return fmt.Errorf("%s: version %d is not known; this host reads %d", at, lock.Version, lockVersion)
			}
			return nil
		},
		"nodes": func(raw json.RawMessage, at string) (err error) {
			lock.Nodes, err = parseNodes(raw, at)
			return err
		},
	})
	if err != nil {
		return Lockfile{}, err
	}
	return lock, nil
}

func parseNodes(raw json.RawMessage, at string) ([]Entry, error) {
	var list []json.RawMessage
	if err := value(raw, at, &list); err != nil {
		return nil, err
	}
	if len(list) > maxNodes {
		return nil, fmt.Errorf("%s: %d nodes; at most %d", at, len(list), maxNodes)
	}
	nodes := make([]Entry, len(list))
	seen := map[string]int{}
	var all []error
	for i, raw := range list {
		here := fmt.Sprintf("%s/%d", at, i)
		if err := parseEntry(raw, here, &nodes[i]); err != nil {
			all = append(all, err)
			continue
		}
		if first, twice := seen[nodes[i].Name]; twice {
			all = append(all, fmt.Errorf("%s/name: %q is already the name of %s/%d", here, nodes[i].Name, at, first))
		}
		seen[nodes[i].Name] = i
	}
	return nodes, errors.Join(all...)
}

func parseEntry(raw json.RawMessage, at string, e *Entry) error {
	str := func(to *string, check func(string) error) func(json.RawMessage, string) error {
		return func(raw json.RawMessage, at string) error {
			if err := value(raw, at, to); err != nil {
				return err
			}
			if err := check(*to); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
			return nil
		}
	}
	return object(raw, at, map[string]func(json.RawMessage, string) error{
		"name":     str(&e.Name, checkName),
		"path":     str(&e.Path, checkPath),
		"version":  str(&e.Version, func(string) error { return nil }),
		"sha256":   str(&e.SHA256, checkDigest),
		"manifest": str(&e.Manifest, checkDigest),
		"size": func(raw json.RawMessage, at string) error {
			if err := value(raw, at, &e.Size); err != nil {
				return err
			}
			if e.Size <= 0 || e.Size > maxBinary {
				return fmt.Errorf("%s: %d bytes is not the size of a binary; 1 to %d", at, e.Size, int64(maxBinary))
			}
			return nil
		},
	})
}

func checkPath(p string) error {
	if p == "" || strings.ContainsRune(p, 0) {
		return fmt.Errorf("%q is not a path", p)
	}
	return nil
}

func checkDigest(s string) error {
	if b, err := hex.DecodeString(s); err != nil || len(b) != 32 || strings.ToLower(s) != s {
		return fmt.Errorf("%.80q is not a SHA-256: 64 lower-case hex digits", s)
	}
	return nil
}

// wellFormed reports a syntax error with its line and column.
func wellFormed(data []byte) error {
	var document json.RawMessage
	err := json.Unmarshal(data, &document)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	before := data[:min(int64(len(data)), max(0, syntax.Offset-1))]
	line := 1 + bytes.Count(before, []byte{'\n'})
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("line %d, column %d: not JSON: %w", line, column, err)
}

// object calls the member's function for each member of a well-formed object, and
// reports unknown, repeated and missing ones.
func object(raw []byte, at string, members map[string]func(json.RawMessage, string) error) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return fmt.Errorf("%s: expected an object", orRoot(at))
	}
	var all []error
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return err
		}
		here := at + "/" + escape(name)
		read, known := members[name]
		switch {
		case !known:
			all = append(all, fmt.Errorf("%s: unknown member", here))
		case seen[name]:
			all = append(all, fmt.Errorf("%s: given twice", here))
		default:
			all = append(all, read(raw, here))
		}
		seen[name] = true
	}
	for _, name := range sortedKeys(members) {
		if !seen[name] {
			all = append(all, fmt.Errorf("%s/%s: missing", at, name))
		}
	}
	return errors.Join(all...)
}

// value decodes a scalar or array; null is no value.
func value[T any](raw json.RawMessage, at string, to *T) error {
	if string(raw) == "null" || json.Unmarshal(raw, to) != nil {
		return fmt.Errorf("%s: expected %s", at, kindOf(*to))
	}
	return nil
}
