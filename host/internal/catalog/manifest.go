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

// WriteDown writes what the binary offers to <dir>/<name>.manifest.json, beside nodes.lock in dir: a host that starts does not have to
// run the binary for it, and people see what a new version changes.
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

// WrittenDown is what WriteDown wrote for e, if it is there and what was accepted: a file of another version, or one that
// somebody has changed, is none.
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

// Offers is what e was accepted with: as it is written down in dir, or else as its installed binary describes itself.
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
