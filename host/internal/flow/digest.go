package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
)

// Manifests is a digest, in hex, of the manifests of all operations that the program
// uses: what it was checked against. It changes when an operation's ports, schemas or
// replay class do, and not with those that the program does not use.
func (p *Program) Manifests() string { return p.manifests }

func (c *compilation) digestManifests() {
	used := map[string]*operation{}
	for _, n := range c.program.nodes {
		used[n.Type] = n.op
	}
	for _, t := range c.program.triggers {
		used[t.Type] = c.cat.ops[t.Type]
	}
	sum := sha256.New()
	for _, id := range slices.Sorted(maps.Keys(used)) {
		if used[id] == nil {
			return // the program is none
		}
		raw, err := json.Marshal(used[id].digested())
		if err != nil {
			c.fail("", "manifest", "reinstall the node", "the manifest of %s is no JSON: %v", id, err)
			return
		}
		sum.Write(append(raw, '\n')) // never fails
	}
	c.program.manifests = hex.EncodeToString(sum.Sum(nil))
}

// digested is the part of an operation that a program depends on.
func (o Operation) digested() any {
	return struct {
		Manifest any
		Exit     string
		Assigns  bool
	}{o.OperationManifest, o.Exit, o.Assigns}
}
