//go:build linux

package process

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tapnode/tapnode/host/internal/catalog"
)

// The manifest a binary prints and the one it answers are the same to the catalog,
// and a verified copy can be started as often as needed.
func TestVerifiedBinary(t *testing.T) {
	path, err := badnodePath()
	if err != nil {
		t.Fatal(err)
	}
	entry, err := catalog.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := entry.Install(shortDir(t))
	if err != nil {
		t.Fatal(err)
	}
	n := startedBad(t, "", func(s *Spec) { s.Path, s.Accept = copied, entry.Accept })
	n.echoes("hello")
	if err := n.Restart(n.soon()); err != nil {
		t.Fatal(err)
	}
	n.echoes("hello")

	other := entry
	other.Manifest = entry.SHA256
	m := bad(t, "", func(s *Spec) { s.Path, s.Accept = copied, other.Accept })
	m.fails("manifest", "tapnode nodes lock --nodes "+scratch)
	m.awaitState(Quarantined)
}

func TestBinaryWithoutFormat(t *testing.T) {
	path := filepath.Join(shortDir(t), "node")
	if err := os.WriteFile(path, []byte("not a program"), 0o700); err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "", func(s *Spec) { s.Path = path })
	n.fails("cannot run the node", "exec format error")
	n.awaitState(Quarantined)
}
