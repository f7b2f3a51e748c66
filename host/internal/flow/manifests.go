package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// Manifests is the SHA-256, in hex, of the manifests of the operations that the program was
// compiled against: it is another one when a node binary changes what a step of this flow
// takes, gives or means.
func (p *Program) Manifests() string {
	used := map[string]any{}
	for _, n := range p.nodes {
		used[n.op.ID] = n.op.OperationManifest
	}
	ids := make([]string, 0, len(used))
	for id := range used {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	sum := sha256.New()
	for _, id := range ids {
		_ = json.NewEncoder(sum).Encode(used[id]) // a manifest is plain data, and a hash takes every byte
	}
	return hex.EncodeToString(sum.Sum(nil))
}
