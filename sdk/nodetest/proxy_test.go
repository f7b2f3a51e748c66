package nodetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/tapnode/tapnode/sdk"
	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
	"github.com/tapnode/tapnode/sdk/nodetest/filenode"
)

// proxy is placed in front of a good node and breaks one promise of the contract.
type proxy struct {
	nodepb.UnimplementedNodeServiceServer
	corruption string
	node       nodepb.NodeServiceClient
	calls      int
}

// serveCorrupt is the main function of a corrupt node binary: filenode behind a proxy, with a
// handshake of its own.
func serveCorrupt(corruption string) {
	dir := os.Getenv("PLUGIN_UNIX_SOCKET_DIR")
	if dir == "" {
		sdk.Main(filenode.New())
	}
	inner, outer := listen(filepath.Join(dir, "i")), listen(filepath.Join(dir, "o"))
	go func() { _ = sdk.Serve(context.Background(), filenode.New(), inner) }()
	conn, err := grpc.NewClient("unix:"+inner.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	g := grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			hangIn(info.FullMethod, corruption)
			return handler(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			hangIn(info.FullMethod, corruption)
			return handler(srv, stream)
		}))
	nodepb.RegisterNodeServiceServer(g, &proxy{corruption: corruption, node: nodepb.NewNodeServiceClient(conn)})
	hangIn("the/handshake", corruption)
	fmt.Printf("1|1|unix|%s|grpc|\n", outer.Addr())
	if corruption == "process-prints" {
		fmt.Println("noise")
	}
	if corruption != "process-orphan" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
	}
	panic(g.Serve(outer))
}

// hangIn hangs, whatever the context says, if method is the one that corruption names.
func hangIn(method, corruption string) {
	if corruption == "hang-"+path.Base(method) {
		time.Sleep(10 * time.Minute)
	}
}

func listen(socket string) net.Listener {
	lis, err := net.Listen("unix", socket)
	if err != nil {
		panic(err)
	}
	return lis
}

func (p *proxy) Describe(ctx context.Context, r *nodepb.DescribeRequest) (*nodepb.DescribeResponse, error) {
	p.calls++
	m, err := p.node.Describe(ctx, r)
	switch p.corruption {
	case "describe-changes":
		m.Summary = fmt.Sprint(p.calls)
	case "describe-malformed":
		m.Operations[0].Id = "Append"
	case "describe-bad-schema":
		m.Operations[0].OutputSchema = []byte(`{"type":"strnig"}`)
	}
	return m, err
}

func (p *proxy) Validate(ctx context.Context, r *nodepb.ValidateRequest) (*nodepb.ValidateResponse, error) {
	v, err := p.node.Validate(ctx, r)
	if p.corruption == "validate-no-pointer" {
		for _, one := range v.GetViolations() {
			one.Pointer = "text"
		}
	}
	return v, err
}

func (p *proxy) Configure(ctx context.Context, r *nodepb.ConfigureRequest) (*nodepb.ConfigureResponse, error) {
	switch p.corruption {
	case "process-bad-log":
		fmt.Fprintln(os.Stderr, "configured")
	case "process-leaks":
		fmt.Fprintf(os.Stderr, "{\"@level\":\"info\",\"@message\":%q}\n", r.GetSecrets()["/password"])
	}
	resp, err := p.node.Configure(ctx, r)
	switch p.corruption {
	case "configure-takes-all":
		resp.Violations = nil
	case "configure-again":
		if status.Code(err) == codes.FailedPrecondition {
			return &nodepb.ConfigureResponse{}, nil
		}
	}
	return resp, err
}

func (p *proxy) Execute(r *nodepb.ExecuteRequest, out grpc.ServerStreamingServer[nodepb.ExecuteResponse]) error {
	ctx := out.Context()
	switch p.corruption {
	case "execute-uncancellable":
		ctx = context.WithoutCancel(ctx)
	case "execute-dry-acts":
		r.DryRun = false
	case "execute-forgets-keys":
		r.IdempotencyKey = ""
	}
	in, err := p.node.Execute(ctx, r)
	if err != nil {
		return err
	}
	for {
		m, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		done := m.GetSucceeded() != nil
		switch {
		case p.corruption == "drain-no-progress" && m.GetProgress() != nil:
			continue
		case p.corruption == "execute-no-completion" && done:
			continue
		case p.corruption == "execute-two-completions" && done:
			_ = out.Send(m)
		case p.corruption == "execute-bad-output" && done:
			m.GetSucceeded().Output = []byte(`{}`)
		case p.corruption == "execute-bare-failure" && m.GetFailed() != nil:
			m.GetFailed().Effect = nodepb.Effect_EFFECT_UNSPECIFIED
		}
		if err := out.Send(m); err != nil && p.corruption != "execute-uncancellable" {
			return err
		}
	}
}

func (p *proxy) Subscribe(host grpc.BidiStreamingServer[nodepb.SubscribeRequest, nodepb.SubscribeResponse]) error {
	node, err := p.node.Subscribe(host.Context())
	if err != nil {
		return err
	}
	go func() {
		for {
			m, err := host.Recv()
			if err != nil {
				_ = node.CloseSend()
				return
			}
			if s := m.GetStart(); s != nil && p.corruption == "subscribe-no-window" {
				s.Window = 1000
			}
			_ = node.Send(m)
		}
	}()
	for {
		m, err := node.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case p.corruption == "subscribe-no-ready" && m.GetReady() != nil:
			continue
		case p.corruption == "subscribe-new-ids" && m.GetEvent() != nil:
			p.calls++
			m.GetEvent().Id = fmt.Sprint(p.calls)
		case p.corruption == "subscribe-wrong-cursor" && m.GetStopped() != nil:
			m.GetStopped().Cursor = []byte("0")
		}
		if err := host.Send(m); err != nil {
			return err
		}
	}
}

func (p *proxy) WatchHealth(r *nodepb.WatchHealthRequest, out grpc.ServerStreamingServer[nodepb.WatchHealthResponse]) error {
	in, err := p.node.WatchHealth(out.Context(), r)
	if err != nil {
		return err
	}
	for {
		m, err := in.Recv()
		if err != nil || p.corruption == "health-silent" {
			return err
		}
		if err := out.Send(m); err != nil {
			return err
		}
	}
}

func (p *proxy) Drain(ctx context.Context, r *nodepb.DrainRequest) (*nodepb.DrainResponse, error) {
	d, err := p.node.Drain(ctx, r)
	if p.corruption == "drain-silent" {
		d.CutKeys = nil
	}
	return d, err
}

func (p *proxy) Claim(ctx context.Context, r *nodepb.ClaimRequest) (*nodepb.ClaimResponse, error) {
	if p.corruption == "claim-taken" {
		return &nodepb.ClaimResponse{}, nil
	}
	return p.node.Claim(ctx, r)
}

func (p *proxy) Close(ctx context.Context, r *nodepb.CloseRequest) (*nodepb.CloseResponse, error) {
	p.calls++
	if p.corruption == "close-once" && p.calls > 1 {
		return nil, status.Error(codes.Internal, "close of a closed node")
	}
	return p.node.Close(ctx, r)
}
