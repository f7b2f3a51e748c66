package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// TestSimulateGuide: docs/wasim.md shows what tapnode simulate prints.
func TestSimulateGuide(t *testing.T) {
	guide, err := os.ReadFile("../../../docs/wasim.md")
	if err != nil {
		t.Fatal(err)
	}
	const url, key = "http://127.0.0.1:8090", "0f4a5c8d6e7b90123456789abcdef0123456789abcdef0123456789abcdef012"
	if want := "$ tapnode simulate\n" + fmt.Sprintf(simulateText, url, key, url+"/sim/v1"); !bytes.Contains(guide, []byte(want)) {
		t.Errorf("docs/wasim.md does not show\n%s", want)
	}
}

// TestSimulateForPrograms: --json prints one line to read, and the simulator ends with the command.
func TestSimulateForPrograms(t *testing.T) {
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- simulate(ctx, console{out: in, err: t.Output()}, []string{"--listen", "127.0.0.1:0", "--json"})
	}()
	var said struct{ URL, RootKey, Control string }
	if err := json.NewDecoder(out).Decode(&said); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(said.URL, "http://127.0.0.1:") || len(said.RootKey) != 64 || said.Control != said.URL+"/sim/v1" {
		t.Errorf("it says %+v", said)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
