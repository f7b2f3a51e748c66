//go:build linux

package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/catalog"
)

// The catalog considers the manifest that a binary prints and the one that it returns
// from Describe as equal, and a verified copy can be started repeatedly.
func TestVerifiedBinary(t *testing.T) {
	path, err := badnodePath()
	if err != nil {
		t.Fatal(err)
	}
	entry, _, err := catalog.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := entry.Install(shortDir(t))
	if err != nil {
		t.Fatal(err)
	}
	n := startedBad(t, "", func(s *Spec) { s.Path, s.Accept = copied.Path, entry.Accept })
	n.echoes("hello")
	if err := n.Restart(n.soon()); err != nil {
		t.Fatal(err)
	}
	n.echoes("hello")

	other := entry
	other.Manifest = entry.SHA256
	m := bad(t, "", func(s *Spec) { s.Path, s.Accept = copied.Path, other.Accept })
	m.fails("manifest", "tapnode nodes lock --nodes "+scratch)
	m.awaitState(Quarantined)
}

// If the running copy is replaced and the node restarts, the accepted binary runs. If that
// does not exist any more, nothing runs.
func TestBinaryIsReplacedWhileItRuns(t *testing.T) {
	path, err := badnodePath()
	if err != nil {
		t.Fatal(err)
	}
	dir := shortDir(t)
	original := filepath.Join(dir, "badnode")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(original, text, 0o700); err != nil {
		t.Fatal(err)
	}
	entry, _, err := catalog.Lock(t.Context(), original)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := entry.Install(dir)
	if err != nil {
		t.Fatal(err)
	}
	ran := filepath.Join(dir, "the-other-ran")
	replace := func(path string) {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\ntouch "+ran+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	n := startedBad(t, "", func(s *Spec) {
		s.Path, s.Accept = copied.Path, entry.Accept
		s.Verify = copied.Ensure
	})
	n.echoes("hello")

	pid := n.State().PID
	replace(copied.Path)
	_ = n.misbehave("exit") // it cannot answer
	n.await("runs again", func(s Status) bool { return s.State == Ready && s.PID != pid })
	n.echoes("hello")

	replace(copied.Path)
	replace(original)
	_ = n.misbehave("exit")
	n.awaitState(Quarantined)
	if reason := n.State().Reason; !strings.Contains(reason, "the binary is not run") || !strings.Contains(reason, "tapnode nodes restart n") {
		t.Errorf("quarantined: %s", reason)
	}
	if _, err := os.Stat(ran); !os.IsNotExist(err) {
		t.Error("the replaced binary ran")
	}
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
