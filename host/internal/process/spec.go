package process

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/tracing"
	"github.com/tapnode/tapnode/sdk"
)

// Spec says which node to run and how. Name, Path, StateDir and RunDir are required.
type Spec struct {
	Name string   // in logs and errors
	Path string   // absolute path of the binary; see catalog.Entry.Install for a verified one
	Args []string // of the binary; usually none

	// Verify is called before each start: its error keeps the binary from running and
	// quarantines the node. It checks that Path is still the binary that was accepted,
	// because somebody may replace it while the node runs. nil skips the check.
	Verify func() error
	// Accept can refuse a node by its manifest before it is configured, e.g. because it
	// is not the one in nodes.lock. nil accepts any.
	Accept func(sdk.Manifest) error

	StateDir string  // the node's own directory; made with mode 0700, survives restarts
	RunDir   *RunDir // the host's directory for sockets

	Settings []byte            // JSON for Configure; empty means {}
	Secrets  map[string][]byte // by JSON Pointer into the settings; never logged
	Leased   bool              // see sdk.Setup

	// OnHealth is called with each change of the health of the node and of its subjects, and with
	// the health of all of them when a process begins. It must not block. Optional.
	OnHealth func(sdk.Health)

	Logger *slog.Logger // nil discards
	Timing
}

// Timing are the deadlines and the bounds of a Supervisor. Zero members take the
// default in their comment.
type Timing struct {
	StartTimeout     time.Duration // 10 s, exec to handshake
	DescribeTimeout  time.Duration // 5 s
	ConfigureTimeout time.Duration // 30 s

	HealthEvery   time.Duration // 3 s between liveness calls
	HealthTimeout time.Duration // 3 s for each; the first missed call makes the node Unresponsive
	HealthMisses  int           // 10 in a row end the process

	DrainGrace   time.Duration // 10 s for running calls
	CloseTimeout time.Duration // 5 s
	ExitTimeout  time.Duration // 2 s from Close to SIGKILL

	BackoffMin  time.Duration // 0.5 s, bound of the first wait after a crash
	BackoffMax  time.Duration // 1 min, bound of every wait
	CrashBudget int           // 5 crashes …
	CrashWindow time.Duration // … in 10 min quarantine

	drainSlack time.Duration // 3 s after DrainGrace, in which the node cuts calls that did not finish
}

func (t Timing) withDefaults() Timing {
	return Timing{
		StartTimeout:     cmp.Or(t.StartTimeout, 10*time.Second),
		DescribeTimeout:  cmp.Or(t.DescribeTimeout, 5*time.Second),
		ConfigureTimeout: cmp.Or(t.ConfigureTimeout, 30*time.Second),
		HealthEvery:      cmp.Or(t.HealthEvery, 3*time.Second),
		HealthTimeout:    cmp.Or(t.HealthTimeout, 3*time.Second),
		HealthMisses:     cmp.Or(t.HealthMisses, 10),
		DrainGrace:       cmp.Or(t.DrainGrace, 10*time.Second),
		CloseTimeout:     cmp.Or(t.CloseTimeout, 5*time.Second),
		ExitTimeout:      cmp.Or(t.ExitTimeout, 2*time.Second),
		BackoffMin:       cmp.Or(t.BackoffMin, 500*time.Millisecond),
		BackoffMax:       cmp.Or(t.BackoffMax, time.Minute),
		CrashBudget:      cmp.Or(t.CrashBudget, 5),
		CrashWindow:      cmp.Or(t.CrashWindow, 10*time.Minute),
		drainSlack:       cmp.Or(t.drainSlack, 3*time.Second),
	}
}

// prepare checks the spec, fills in defaults and makes the state directory.
func (s *Spec) prepare() error {
	switch {
	case s.Name == "":
		return errors.New("a node needs a name")
	case !filepath.IsAbs(s.Path):
		return fmt.Errorf("node %s: the path of its binary, %q, must be absolute", s.Name, s.Path)
	case s.RunDir == nil:
		return fmt.Errorf("node %s: no RunDir for its sockets; see OpenRunDir", s.Name)
	case s.StateDir == "":
		return fmt.Errorf("node %s: no StateDir", s.Name)
	}
	dir, err := filepath.Abs(s.StateDir)
	if err != nil {
		return fmt.Errorf("node %s: %w", s.Name, err)
	}
	s.StateDir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("node %s: %w", s.Name, err)
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a directory needs its x
		return fmt.Errorf("node %s: %w", s.Name, err)
	}
	if len(s.Settings) == 0 {
		s.Settings = []byte("{}")
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	s.Timing = s.withDefaults()
	return nil
}

// hostEnv lists the variables of the host's environment that a node gets: paths, locale,
// proxies. childEnv adds those for certificates and tracing. Secrets are passed by Configure,
// except the headers for the collector of the traces.
var hostEnv = map[string]bool{
	"PATH": true, "HOME": true, "TMPDIR": true, "LANG": true, "TZ": true,
	"HTTP_PROXY": true, "HTTPS_PROXY": true, "ALL_PROXY": true, "NO_PROXY": true,
	"http_proxy": true, "https_proxy": true, "all_proxy": true, "no_proxy": true,
}

// childEnv is the allowed part of host followed by what go-plugin adds. os/exec
// uses the last value of a name, so the host's values never override go-plugin's.
func childEnv(host, plugin []string) []string {
	env := make([]string, 0, len(hostEnv)+len(plugin))
	for _, kv := range host {
		name, _, _ := strings.Cut(kv, "=")
		if hostEnv[name] || strings.HasPrefix(name, "SSL_CERT_") || tracing.Environment(name) {
			env = append(env, kv)
		}
	}
	return append(env, plugin...)
}
