package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/tapnode/tapnode/host/internal/catalog"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/nodes"
	"github.com/tapnode/tapnode/sdk"
)

// Installed is a verified copy of a node binary, with what it offers.
type Installed struct {
	catalog.Entry
	Binary   string // the copy, which is what runs
	Manifest sdk.Manifest

	stateDir string // Binary lies in it
}

// verify makes sure that Binary is what was accepted, and repairs it if it is not.
func (i Installed) verify() error {
	_, err := i.EnsureCopy(i.stateDir)
	return err
}

// Installation reads nodes.lock in dir, copies the binaries it names into stateDir
// while verifying them, and asks each copy for its manifest, without configuring
// anything. Nothing that was not hashed runs, not even to describe itself.
func Installation(ctx context.Context, dir, stateDir string) ([]Installed, error) {
	lock, err := catalog.Load(filepath.Join(dir, catalog.LockName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no %s in %s: build the nodes there and accept them with: tapnode nodes lock", catalog.LockName, dir)
	}
	if err != nil {
		return nil, err
	}
	var out []Installed
	for _, entry := range lock.Nodes {
		binary, err := entry.Install(stateDir)
		if err != nil {
			return nil, err
		}
		manifest, err := catalog.Describe(ctx, binary)
		if err != nil {
			return nil, err
		}
		if err := entry.Accept(manifest); err != nil {
			return nil, err
		}
		out = append(out, Installed{entry, binary, manifest, stateDir})
	}
	return out, lock.Prune(stateDir)
}

// NewCatalogue is everything a flow may use: the built-in nodes and the installed ones.
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
