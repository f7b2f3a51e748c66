// Package client is the host's side of the flownode.v1 contract, in the types of
// package sdk.
//
// It guarantees that every call ends: a context without a deadline gets the one documented at the
// method. The two streams that live as long as the host wants, Subscribe and WatchHealth, end with
// their context; only their opening has a time limit.
//
// There are two kinds of failure. A failure of the operation is a *[sdk.Problem]. A failure of the
// transport or a breach of the contract is a *[TransportError], whose Effect tells whether the call
// may have acted. A Client is safe for concurrent use and holds nothing but the connection, which
// still belongs to the caller.
package client

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tapnode/tapnode/sdk"
	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// Default deadlines of calls whose context has none. Drain gets its grace period and 5 s more.
const (
	DescribeTimeout  = 5 * time.Second
	ValidateTimeout  = 10 * time.Second
	ConfigureTimeout = 30 * time.Second
	ClaimTimeout     = 10 * time.Second
	ExecuteTimeout   = 5 * time.Minute
	ReadyTimeout     = 30 * time.Second // from Subscribe to the ready message
	CloseTimeout     = 10 * time.Second
	drainSlack       = 5 * time.Second
)

// Client calls one node process.
type Client struct{ rpc nodepb.NodeServiceClient }

// New returns a client for the node at the other end of cc. The connection must allow messages of
// [sdk.MaxMessage] in both directions; [DialOptions] does.
func New(cc grpc.ClientConnInterface) *Client {
	return &Client{rpc: nodepb.NewNodeServiceClient(cc)}
}

// DialOptions returns the message limits of the contract.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithDefaultCallOptions(
		grpc.MaxCallRecvMsgSize(sdk.MaxMessage), grpc.MaxCallSendMsgSize(sdk.MaxMessage),
	)}
}

// Describe returns what the node offers. Default deadline: [DescribeTimeout].
func (c *Client) Describe(ctx context.Context) (sdk.Manifest, error) {
	ctx, cancel := within(ctx, DescribeTimeout)
	defer cancel()
	resp, err := c.rpc.Describe(ctx, &nodepb.DescribeRequest{HostVersion: sdk.Version})
	if err != nil {
		return sdk.Manifest{}, transport("describe", err)
	}
	return manifestOf(resp), nil
}

// Validate checks an input, or a trigger's filter, without side effects. Default
// deadline: [ValidateTimeout].
func (c *Client) Validate(ctx context.Context, operation string, input []byte) ([]sdk.Violation, []sdk.Warning, error) {
	ctx, cancel := within(ctx, ValidateTimeout)
	defer cancel()
	resp, err := c.rpc.Validate(ctx, &nodepb.ValidateRequest{Operation: operation, Input: input})
	if err != nil {
		return nil, nil, transport("validate", err)
	}
	return violationsOf(resp.GetViolations()), warningsOf(resp.GetWarnings()), nil
}

// Configure configures the process. Settings that it does not accept are returned as a
// *[sdk.Problem] with every violation. Default deadline: [ConfigureTimeout].
func (c *Client) Configure(ctx context.Context, setup sdk.Setup) error {
	_, err := c.ConfigureLeased(ctx, setup)
	return err
}

// ConfigureLeased is Configure for a host that may lease the node's subjects. shared means that the
// subjects wait for Claim.
func (c *Client) ConfigureLeased(ctx context.Context, setup sdk.Setup) (shared bool, err error) {
	ctx, cancel := within(ctx, ConfigureTimeout)
	defer cancel()
	resp, err := c.rpc.Configure(ctx, &nodepb.ConfigureRequest{
		Settings: setup.Settings, Secrets: setup.Secrets, StateDir: setup.StateDir, Leased: setup.Leased,
	})
	if err != nil {
		return false, transport("configure", err)
	}
	if vs := violationsOf(resp.GetViolations()); len(vs) > 0 {
		return false, sdk.Invalid(vs...)
	}
	return resp.GetShared(), nil
}

// Claim makes the node's process act for a subject under a lease. A *[sdk.Problem] says why it does
// not: stale_epoch or not_found. Default deadline: [ClaimTimeout].
func (c *Client) Claim(ctx context.Context, subject string, epoch uint64) error {
	ctx, cancel := within(ctx, ClaimTimeout)
	defer cancel()
	resp, err := c.rpc.Claim(ctx, &nodepb.ClaimRequest{Subject: subject, Epoch: epoch})
	if err != nil {
		return transport("claim", err)
	}
	if f := resp.GetFailed(); f != nil {
		return problemOf(f)
	}
	return nil
}

// WatchHealth calls see with the state of every subject and then with each change, in order and one
// at a time, until ctx ends (its error) or the node closes (nil). It has no default deadline.
func (c *Client) WatchHealth(ctx context.Context, see func(sdk.Health)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.rpc.WatchHealth(ctx, &nodepb.WatchHealthRequest{})
	if err != nil {
		return transport("watch health", err)
	}
	for {
		h, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return transport("watch health", err)
		}
		see(healthOf(h))
	}
}

// Drain stops the node's work, waits up to grace for running calls, and returns the idempotency
// keys of the calls that were cut. Default deadline: grace and 5 s.
func (c *Client) Drain(ctx context.Context, grace time.Duration) ([]string, error) {
	ctx, cancel := within(ctx, grace+drainSlack)
	defer cancel()
	resp, err := c.rpc.Drain(ctx, &nodepb.DrainRequest{Grace: durationpb.New(grace)})
	if err != nil {
		return nil, transport("drain", err)
	}
	return resp.GetCutKeys(), nil
}

// Close releases what Configure opened; it may be repeated. Default deadline:
// [CloseTimeout].
func (c *Client) Close(ctx context.Context) error {
	ctx, cancel := within(ctx, CloseTimeout)
	defer cancel()
	if _, err := c.rpc.Close(ctx, &nodepb.CloseRequest{}); err != nil {
		return transport("close", err)
	}
	return nil
}

// within gives ctx a deadline if it has none.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
