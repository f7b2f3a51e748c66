package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tapnode/tapnode/sdk"
)

// WriteDown writes the manifest of the binary to <dir>/<name>.manifest.json, where dir is the
// directory of nodes.lock. A host that starts need not run the binary to get it, and people can see
// what a new version changes.
func (e Entry) WriteDown(dir string, m sdk.Manifest) error {
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return fmt.Errorf("the manifest of %s is not JSON: %w", e.Name, err)
	}
	return replace(e.writtenDown(dir), data.Bytes())
}

func (e Entry) writtenDown(dir string) string { return filepath.Join(dir, e.Name+".manifest.json") }

// WrittenDown returns the manifest that WriteDown wrote for e. ok is false if there is none, or if
// it is not the accepted one: a file of another version, or one that was edited.
func (e Entry) WrittenDown(dir string) (m sdk.Manifest, ok bool) {
	f, err := os.Open(e.writtenDown(dir)) //nolint:gosec // its hash is in nodes.lock
	if err != nil {
		return m, false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil || len(data) > maxManifest {
		return m, false
	}
	if m, err = parseManifest(data); err != nil || e.Accept(m) != nil {
		return sdk.Manifest{}, false
	}
	return m, true
}

// Offers returns the manifest that e was accepted with: the one written down in dir or, without
// that, the one that the installed binary prints.
func (e Entry) Offers(ctx context.Context, dir, binary string) (sdk.Manifest, error) {
	if m, ok := e.WrittenDown(dir); ok {
		return m, nil
	}
	m, err := describe(ctx, binary)
	if err != nil {
		return m, err
	}
	return m, e.Accept(m)
}
