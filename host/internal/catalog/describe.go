package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk"
)

const (
	describeTimeout = 10 * time.Second
	maxManifest     = 4 << 20
	maxComplaint    = 4 << 10
)

// Lock hashes a binary and asks it for its manifest. It returns the entry that lets the binary run
// as it is now, and the manifest.
func Lock(ctx context.Context, path string) (Entry, sdk.Manifest, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Entry{}, sdk.Manifest{}, err
	}
	f, _, err := openBinary(path)
	if err != nil {
		return Entry{}, sdk.Manifest{}, err
	}
	defer f.Close()
	size, sum, err := hash(f, io.Discard)
	if err != nil {
		return Entry{}, sdk.Manifest{}, err
	}
	m, err := describe(ctx, path)
	if err != nil {
		return Entry{}, sdk.Manifest{}, err
	}
	digest, err := manifestDigest(m)
	if err != nil {
		return Entry{}, sdk.Manifest{}, fmt.Errorf("%s: %w", path, err)
	}
	return Entry{Name: m.Name, Path: path, Version: m.Version, Size: size, SHA256: sum, Manifest: digest}, m, nil
}

// describe runs "<path> describe" and reads the manifest it prints. The binary gets no environment
// and no stdin, and may take 10 s and print 4 MiB; when it exceeds either, its process group is
// killed.
func describe(ctx context.Context, path string) (sdk.Manifest, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, describeTimeout, fmt.Errorf("no answer in %v", describeTimeout))
	defer cancel()
	stdout, stderr := &bounded{max: maxManifest, full: cancel}, &bounded{max: maxComplaint}
	cmd := exec.CommandContext(ctx, path, "describe") //nolint:gosec // running it is what the caller asks for
	cmd.Env = []string{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // for a descendant that keeps stdout

	err := cmd.Run()
	switch {
	case stdout.over:
		err = fmt.Errorf("it printed more than %d bytes", maxManifest)
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err != nil && stderr.kept.Len() > 0:
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.kept.String()))
	}
	if err != nil {
		return sdk.Manifest{}, fmt.Errorf("%s describe: %w", path, err)
	}
	m, err := parseManifest(stdout.kept.Bytes())
	if err != nil {
		return sdk.Manifest{}, fmt.Errorf("%s describe: %w", path, err)
	}
	return m, nil
}

// parseManifest parses a printed manifest. Unknown members are ignored: a newer sdk may have more.
func parseManifest(data []byte) (sdk.Manifest, error) {
	if fault := jsonstrict.Check(data, manifestLimits); fault != nil {
		return sdk.Manifest{}, join(data, []jsonstrict.Error{*fault})
	}
	var m sdk.Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return sdk.Manifest{}, fmt.Errorf("not a manifest: %w", err)
	}
	if err := checkName(m.Name); err != nil {
		return sdk.Manifest{}, fmt.Errorf("/name: %w", err)
	}
	if len(m.Operations) == 0 {
		return sdk.Manifest{}, errors.New("/operations: a node needs at least one")
	}
	return m, nil
}

// manifestDigest returns the SHA-256 of a manifest in compact JSON, in hex. It is the same for a
// printed manifest and for the one that Describe returns over gRPC.
func manifestDigest(m sdk.Manifest) (string, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("the manifest of %s is not JSON: %w", m.Name, err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// Accept refuses a manifest other than the locked one with a *MismatchError. It is meant for
// process.Spec.Accept.
func (e Entry) Accept(m sdk.Manifest) error {
	digest, err := manifestDigest(m)
	if err != nil {
		return err
	}
	if digest != e.Manifest {
		return &MismatchError{e.Name, e.Path, "manifest", e.Manifest, digest}
	}
	return nil
}

// bounded keeps the first max bytes and calls full when there are more. The buffer is not embedded,
// because io.Copy would find its ReadFrom and bypass the bound.
type bounded struct {
	kept bytes.Buffer
	max  int
	over bool
	full func()
}

// Write accepts all bytes, so that the writer sees no error, and keeps those that fit.
func (b *bounded) Write(p []byte) (int, error) {
	keep := min(len(p), b.max-b.kept.Len())
	b.kept.Write(p[:keep])
	if keep < len(p) && !b.over {
		b.over = true
		if b.full != nil {
			b.full()
		}
	}
	return len(p), nil
}
