package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tapnode/tapnode/host/internal/catalog"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/nodes"
	"github.com/tapnode/tapnode/sdk"
)

// Installed is a verified copy of a node binary, with what it offers.
type Installed struct {
	catalog.Entry
	Copy     *catalog.Copy // the file that runs; nil if it comes from Offered
	Manifest sdk.Manifest
}

// Installation reads nodes.lock in dir, copies the binaries it names into stateDir while verifying
// them, and finds out what each offers, without configuring anything. No binary runs before it has
// been hashed, not even to describe itself.
func Installation(ctx context.Context, dir, stateDir string) ([]Installed, error) {
	lock, err := locked(dir)
	if err != nil {
		return nil, err
	}
	var out []Installed
	for _, entry := range lock.Nodes {
		binary, err := entry.Install(stateDir)
		if err != nil {
			return nil, err
		}
		manifest, err := entry.Offers(ctx, dir, binary.Path)
		if err != nil {
			return nil, err
		}
		out = append(out, Installed{entry, binary, manifest})
	}
	return out, lock.Prune(stateDir)
}

// Offered is Installation for a caller that runs none of the nodes. It verifies the binaries. Only
// if the manifest of one is not written down does it copy and run them, and then it discards the
// copies.
func Offered(ctx context.Context, dir string) ([]Installed, error) {
	lock, err := locked(dir)
	if err != nil {
		return nil, err
	}
	var out []Installed
	for _, entry := range lock.Nodes {
		manifest, ok := entry.WrittenDown(dir)
		if !ok {
			tmp, err := os.MkdirTemp("", "tapnode-")
			if err != nil {
				return nil, err
			}
			defer os.RemoveAll(tmp)
			out, err := Installation(ctx, dir, tmp)
			for i := range out {
				out[i].Copy = nil
			}
			return out, err
		}
		if err := entry.Verify(); err != nil {
			return nil, err
		}
		out = append(out, Installed{Entry: entry, Manifest: manifest})
	}
	return out, nil
}

func locked(dir string) (catalog.Lockfile, error) {
	lock, err := catalog.Load(filepath.Join(dir, catalog.LockName))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("no %s in %s: build the nodes there and accept them with: tapnode nodes lock", catalog.LockName, dir)
	}
	return lock, err
}

// NewCatalogue returns everything that a flow may use: the built-in nodes and the installed ones.
func NewCatalogue(installed []Installed) (*flow.Catalogue, error) {
	var ops []flow.Operation
	for _, b := range nodes.All(nodes.Options{}) {
		ops = append(ops, b.Operation())
	}
	for _, node := range installed {
		for _, op := range node.Manifest.Operations {
			ops = append(ops, flow.Operation{OperationManifest: op})
		}
	}
	return flow.NewCatalogue(ops...)
}
