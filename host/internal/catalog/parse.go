package catalog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// Limits for reading nodes.lock and the manifest that a binary prints.
var (
	lockfileLimits = jsonstrict.Limits{Bytes: maxLockfile, Depth: 8}
	manifestLimits = jsonstrict.Limits{Bytes: maxManifest, Depth: 128} // it contains whole schemas
)

// parse parses the contents of a lock file strictly: every member must be known, present and used
// once. The error joins the mistakes (at most 20), each preceded by its JSON Pointer.
func parse(data []byte) (Lockfile, error) {
	var lock Lockfile
	faults := jsonstrict.Read(data, lockfileLimits, func(o *jsonstrict.Object) {
		o.Require("version", "nodes")
		if o.Int("version", &lock.Version) && lock.Version != lockVersion {
			o.Refuse("version", "version %d is not known; this host reads %d", lock.Version, lockVersion)
		}
		first := map[string]int{}
		o.Each("nodes", func(n int) {
			if n > maxNodes {
				o.Refuse("nodes", "%d nodes; at most %d", n, maxNodes)
			}
			lock.Nodes = make([]Entry, n)
		}, func(i int, node *jsonstrict.Object) {
			lock.Nodes[i].read(node)
			name := lock.Nodes[i].Name
			if at, twice := first[name]; twice && name != "" {
				node.Refuse("name", "%q is already the name of /nodes/%d", name, at)
			}
			first[name] = i
		})
	})
	if len(faults) > 0 {
		return Lockfile{}, join(data, faults)
	}
	return lock, nil
}

func (e *Entry) read(o *jsonstrict.Object) {
	o.Require("name", "path", "version", "size", "sha256", "manifest")
	o.String("version", &e.Version)
	for _, text := range []struct {
		name  string
		to    *string
		check func(string) error
	}{
		{"name", &e.Name, checkName},
		{"path", &e.Path, checkPath},
		{"sha256", &e.SHA256, checkDigest},
		{"manifest", &e.Manifest, checkDigest},
	} {
		if o.String(text.name, text.to) {
			if err := text.check(*text.to); err != nil {
				o.Refuse(text.name, "%v", err)
			}
		}
	}
	var size int
	if o.Int("size", &size) && (size <= 0 || size > maxBinary) {
		o.Refuse("size", "%d bytes is not the size of a binary; 1 to %d", size, maxBinary)
	}
	e.Size = int64(size)
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

// join makes one error of the mistakes in data. People edit these files, so a syntax error is
// reported with its line and column.
func join(data []byte, faults []jsonstrict.Error) error {
	all := make([]error, len(faults))
	for i := range faults {
		all[i] = &faults[i]
		if faults[i].Code == jsonstrict.NotJSON {
			before := data[:min(len(data), faults[i].Offset)]
			line := 1 + bytes.Count(before, []byte{'\n'})
			column := len(before) - bytes.LastIndexByte(before, '\n')
			all[i] = fmt.Errorf("line %d, column %d: not JSON: %s", line, column, faults[i].Message)
		}
	}
	return errors.Join(all...)
}
