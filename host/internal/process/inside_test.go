package process

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tapnode/tapnode/sdk"
)

func TestHandshakesThatAreRefused(t *testing.T) {
	for role, want := range map[string][]string{
		"too new":   {"the node's handshake was refused", "incompatible API version"},
		"elsewhere": {"the node's handshake was refused", "expected a unix socket"},
		"no cert":   {"the node offered no certificate"},
	} {
		t.Run(role, func(t *testing.T) {
			n := newNode(t, role)
			n.fails(want...)
			n.awaitState(Quarantined)
		})
	}
	t.Run("closes stdout", func(t *testing.T) {
		newNode(t, "closes", func(s *Spec) { s.StartTimeout = 100 * time.Millisecond }).fails("did not finish its handshake")
	})
}

func TestEnvironment(t *testing.T) {
	t.Setenv("TAPNODE_SECRET", "s3cret")
	t.Setenv("TZ", "Antarctica/Troll")
	t.Setenv("SSL_CERT_DIR", "/certs")
	t.Setenv("PLUGIN_PROTOCOL_VERSIONS", "99")
	n := started(t, "good") // the host's PLUGIN_ variable would have broken the handshake
	out, err := n.tell("env")
	if err != nil {
		t.Fatal(err)
	}
	env := "\n" + strings.Join(out.Env, "\n") + "\n"
	for _, want := range []string{"\nTZ=Antarctica/Troll\n", "\nSSL_CERT_DIR=/certs\n", "\nPATH=", "\nPLUGIN_PROTOCOL_VERSIONS=1\n"} {
		if !strings.Contains(env, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, secret := range []string{"TAPNODE_SECRET", "=99"} {
		if strings.Contains(env, secret) {
			t.Errorf("%q is in %s", secret, env)
		}
	}
}

func TestStdinIsAPipeOfOurs(t *testing.T) {
	n := started(t, "good")
	out, err := n.tell("stdin")
	if err != nil {
		t.Skip("no /proc:", err)
	}
	if !strings.HasPrefix(out.Said, "pipe:") {
		t.Errorf("the node's stdin is %s", out.Said)
	}
}

// A descendant that left the process group is not killed with it, but it cannot hide
// the node's death either.
func TestEscapeeDoesNotHideTheDeath(t *testing.T) {
	n := started(t, "escapee")
	before := n.State()
	c, err := n.Client(n.soon())
	if err != nil {
		t.Fatal(err)
	}
	ctx, seen := context.WithCancel(n.soon())
	err = c.WatchHealth(ctx, func(h sdk.Health) {
		var pid int
		if _, err := fmt.Sscan(h.Message, &pid); err == nil {
			t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
			seen()
		}
	})
	if status.Code(err) != codes.Canceled {
		t.Fatalf("no escapee: %v", err)
	}
	_, _ = n.tell("exit")
	n.await("noticed", func(s Status) bool { return s.PID != before.PID })
	if err := n.Stop(n.soon()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestStateDirectory(t *testing.T) {
	n := newNode(t, "good")
	if info, err := os.Stat(n.spec.StateDir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	for name, spec := range map[string]Spec{
		"a node needs a name": {},
		"must be absolute":    {Name: "n", Path: "bin/n"},
		"no RunDir":           {Name: "n", Path: "/n"},
		"no StateDir":         {Name: "n", Path: "/n", RunDir: n.spec.RunDir},
	} {
		if _, err := New(spec); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q in it", err, name)
		}
	}
}
