package process

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	goplugin "github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// errPermanent marks failures that a retry cannot cure.
var errPermanent = errors.New("needs somebody to act")

// errNotYet marks failures that the node itself reported as it should, such as a database
// it cannot reach. The start is retried, and the failure does not count as a crash.
var errNotYet = errors.New("it will be tried again")

// errNoHandshake is the cause of a start's context when its deadline has passed.
var errNoHandshake = errors.New("no handshake in time")

// handshake starts a process and negotiates with it. go-plugin does only the negotiation.
// Its Client is not used to dial, to dispense or to kill, because it cannot do so under a
// deadline; its goroutines end with the process. If there is a runner, it is returned even
// with an error.
func handshake(ctx context.Context, spec Spec, log *slog.Logger) (*runner, *grpc.ClientConn, error) {
	var run *runner
	var uncancel func() bool
	config := &plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: sdk.ProtocolVersion, MagicCookieKey: sdk.HandshakeCookieKey, MagicCookieValue: sdk.HandshakeCookieValue,
		},
		VersionedPlugins: map[int]plugin.PluginSet{sdk.ProtocolVersion: {}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     spec.StartTimeout + time.Second, // the deadline of ctx comes first
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: spec.RunDir.Path()},
		Logger:           hclog.NewNullLogger(),
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, dir string) (goplugin.Runner, error) {
			run = newRunner(spec.Path, spec.Args, childEnv(os.Environ(), append(cmd.Env, sdk.LifelineKey+"="+sdk.LifelineStdin)), spec.StateDir, dir, newRelay(log))
			uncancel = context.AfterFunc(ctx, func() { _ = run.kill() })
			return run, nil
		},
	}
	addr, err := plugin.NewClient(config).Start()
	if run == nil {
		return nil, nil, err
	}
	if err == nil && !uncancel() {
		err = context.Cause(ctx)
	}
	if err == nil && config.TLSConfig.RootCAs == nil {
		err = fmt.Errorf("the node offered no certificate; it must support go-plugin's AutoMTLS (%w)", errPermanent)
	}
	if err != nil {
		if !run.end() {
			return run, nil, unkilled(run, err)
		}
		return run, nil, explain(ctx, spec, run, err)
	}
	conn, err := dial(addr, config.TLSConfig)
	if err != nil {
		run.end()
		return run, nil, err
	}
	return run, conn, nil
}

// explain describes a failed start in terms of what the node did: go-plugin only
// knows that it did not get the line it waited for.
func explain(ctx context.Context, spec Spec, run *runner, err error) error {
	first := bytes.TrimSpace(run.first)
	switch {
	case errors.Is(err, errPermanent):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("cannot run the node: %w (%w)", err, errPermanent)
	case run.pid() == 0:
		return fmt.Errorf("cannot run the node: %w", err)
	case len(first) > 0 && !isHandshake(first):
		return fmt.Errorf("the node printed %.200q before the handshake; stdout belongs to the handshake: print to stderr", first)
	case errors.Is(context.Cause(ctx), errNoHandshake):
		return fmt.Errorf("the node did not finish its handshake within %v; does its main call sdk.Main?", spec.StartTimeout)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case len(first) > 0:
		return fmt.Errorf("the node's handshake was refused: %w (%w)", err, errPermanent)
	}
	if last := run.relay.tail.last(); last != "" {
		return fmt.Errorf("the node ended before the handshake (%s); it said last: %.500s", run.exit(), last)
	}
	return fmt.Errorf("the node ended before the handshake (%s) and said nothing on stderr", run.exit())
}

// unkilled adds to an error that its process is still there. The error is permanent,
// because no other process may be started in its place.
func unkilled(run *runner, err error) error {
	return fmt.Errorf("%w; process %d does not end after SIGKILL (%w)", err, run.pid(), errPermanent)
}

// isHandshake recognises core|app|network|address|protocol|certificate.
func isHandshake(line []byte) bool {
	core, rest, ok := strings.Cut(string(line), "|")
	return ok && len(core) == 1 && core[0] >= '0' && core[0] <= '9' && strings.Count(rest, "|") >= 2
}

// dial prepares the only connection to the process. It has no idle timeout, so that it
// lasts as long as the process, even when somebody removes the socket.
func dial(addr net.Addr, tls *tls.Config) (*grpc.ClientConn, error) {
	var dialer net.Dialer
	options := append(client.DialOptions(),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, addr.Network(), addr.String())
		}),
		grpc.WithTransportCredentials(credentials.NewTLS(tls)),
		grpc.WithIdleTimeout(0),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 2, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
	)
	return grpc.NewClient("passthrough:///localhost", options...)
}
