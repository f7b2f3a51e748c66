package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
	"github.com/tapnode/tapnode/sdk/schema"
)

// Time limits that the contract gives a node.
const (
	configureTimeout = 30 * time.Second
	closeTimeout     = 10 * time.Second
	endTimeout       = 5 * time.Second // part of closeTimeout, for functions that ignore their context; half of the host's limit if that is less
)

// server answers the calls of one host for one [Node].
type server struct {
	nodepb.UnimplementedNodeServiceServer

	node       *Node
	manifest   Manifest
	described  []byte // DescribeResponse, marshalled once
	settings   lazySchema
	operations map[string]*operation
	board      *Board
	life       *life
	streams    streams

	opening    sync.Mutex // held by Configure and Close
	configured bool
	stateDir   *os.File // the lock on it, while configured
}

// operation is an Offer prepared for calls.
type operation struct {
	handlers
	manifest OperationManifest
	input    lazySchema
}

// lazySchema compiles a schema when it is first needed: compiling all of a node's schemas takes a
// fifth of the CPU time of its start, and most of its calls need none or one.
type lazySchema func() (*schema.Schema, error)

func lazily(what string, text []byte) lazySchema {
	return sync.OnceValues(func() (*schema.Schema, error) {
		s, err := schema.Compile(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		return s, nil
	})
}

// operationID is name@major; the name has dots and camelCase parts.
var operationID = regexp.MustCompile(`^[a-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*)*@[1-9][0-9]*$`)

// newServer refuses a node that is built wrongly. Its schemas are checked by [server.compile] only.
func newServer(n *Node) (*server, error) {
	s := &server{
		node: n, board: n.Health, life: newLife(),
		operations: map[string]*operation{},
		manifest: Manifest{
			Name: n.Name, Version: n.Version, Title: n.Title, Summary: n.Summary,
			SDKVersion: Version, Features: n.Features, Settings: n.Settings,
		},
	}
	if s.board == nil {
		s.board = NewBoard()
	}
	if (n.Claim == nil) != (n.Shared == nil) || (n.Claim != nil) != slices.Contains(n.Features, FeatureLeases) {
		return nil, errors.New("Claim, Shared and FeatureLeases come together or not at all")
	}
	if n.Name == "" || n.Version == "" {
		return nil, errors.New("the node needs a Name and a Version")
	}
	s.settings = lazily("settings schema", n.Settings)
	for _, offer := range n.Operations {
		op, err := newOperation(offer)
		if err != nil {
			return nil, err
		}
		if s.operations[op.manifest.ID] != nil {
			return nil, fmt.Errorf("operation %s is there twice", op.manifest.ID)
		}
		s.operations[op.manifest.ID] = op
		s.manifest.Operations = append(s.manifest.Operations, op.manifest)
	}
	var err error
	s.described, err = proto.MarshalOptions{Deterministic: true}.Marshal(manifestToProto(s.manifest))
	return s, err
}

// compile refuses a node with an invalid schema.
func (s *server) compile() error {
	schemas := []lazySchema{s.settings}
	for _, m := range s.manifest.Operations {
		schemas = append(schemas, s.operations[m.ID].input, lazily("operation "+m.ID+": output schema", m.Output))
		for _, e := range m.Events {
			schemas = append(schemas, lazily("operation "+m.ID+": event "+e.Type, e.Schema))
		}
	}
	for _, compiled := range schemas {
		if _, err := compiled(); err != nil {
			return err
		}
	}
	return nil
}

// Check returns an error if the node is built wrongly: ids, functions, schemas. The command
// describe refuses such a node, and so does a host that is about to accept the binary. [Main] and
// [Serve], which a host waits for at each start, compile a schema only when a call first needs it.
func (n *Node) Check() error {
	s, err := newServer(n)
	if err != nil {
		return err
	}
	return s.compile()
}

func newOperation(offer Offer) (*operation, error) {
	op := &operation{handlers: offer.bind(), manifest: offer.Manifest()}
	id := op.manifest.ID
	op.input = lazily("operation "+id+": input schema", op.manifest.Input)
	if !operationID.MatchString(id) {
		return nil, fmt.Errorf("operation %q: the id must look like demo.echo@1", id)
	}
	if op.run == nil && op.open == nil {
		return nil, fmt.Errorf("operation %s has nothing to run", id)
	}
	return op, nil
}

// Describe answers with the same bytes every time: they are marshalled once and sent as the
// response's unknown fields, which protobuf copies verbatim.
func (s *server) Describe(_ context.Context, req *nodepb.DescribeRequest) (*nodepb.DescribeResponse, error) {
	if err := s.life.serving(); err != nil {
		return nil, err
	}
	slog.Debug("described", "host", req.GetHostVersion(), "features", req.GetHostFeatures())
	resp := &nodepb.DescribeResponse{}
	resp.ProtoReflect().SetUnknown(s.described)
	return resp, nil
}

// Validate checks an input, or a trigger's filter, as Execute and Subscribe do.
func (s *server) Validate(_ context.Context, req *nodepb.ValidateRequest) (*nodepb.ValidateResponse, error) {
	if err := s.life.serving(); err != nil {
		return nil, err
	}
	op, err := s.lookup(req.GetOperation())
	if err != nil {
		return nil, err
	}
	_, violations, warnings, err := op.examine(req.GetInput())
	if err != nil {
		return nil, status.Errorf(codes.Internal, "the check of %s: %v", op.manifest.ID, err)
	}
	return &nodepb.ValidateResponse{Violations: violationsToProto(violations), Warnings: warningsToProto(warnings)}, nil
}

// examine checks an input against the document limits and the schema, or with the operation's own
// check, which then also decides how a broken document is reported. The error is a mistake of the
// author.
func (op *operation) examine(input []byte) (in any, violations []Violation, warnings []Warning, err error) {
	if len(input) == 0 {
		input = []byte("{}")
	}
	var form *schema.Schema
	if !op.ownCheck {
		if f := schema.Document(input); f != nil {
			return nil, []Violation{Violation(*f)}, nil, nil
		}
		if form, err = op.input(); err != nil {
			return nil, nil, nil, err
		}
	}
	err = guard("check of "+op.manifest.ID, func() error {
		in, violations, warnings = op.check(form, input)
		return nil
	})
	return in, violations, warnings, err
}

func (s *server) lookup(id string) (*operation, error) {
	if op := s.operations[id]; op != nil {
		return op, nil
	}
	return nil, status.Errorf(codes.NotFound, "%s has no operation %q", s.node.Name, id)
}

// Configure configures the process.
func (s *server) Configure(ctx context.Context, req *nodepb.ConfigureRequest) (*nodepb.ConfigureResponse, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	if err := s.life.serving(); err != nil {
		return nil, err
	}
	if s.configured {
		return nil, status.Error(codes.FailedPrecondition, "the process is configured already; start another one for other settings")
	}
	form, err := s.settings()
	if err != nil {
		return nil, status.Errorf(codes.Internal, "%v", err)
	}
	settings, findings := form.CheckSettings(req.GetSettings(), req.GetSecrets())
	if len(findings) > 0 {
		return &nodepb.ConfigureResponse{Violations: violationsToProto(violationsOf(findings))}, nil
	}
	lock, violations := claimStateDir(ctx, req.GetStateDir())
	if len(violations) > 0 {
		return &nodepb.ConfigureResponse{Violations: violationsToProto(violations)}, nil
	}
	setup := Setup{Settings: settings, Secrets: req.GetSecrets(), StateDir: req.GetStateDir(), Leased: req.GetLeased() && s.node.Claim != nil}
	if violations := s.open(ctx, setup); len(violations) > 0 {
		_ = lock.Close() // it only held the lock
		return &nodepb.ConfigureResponse{Violations: violationsToProto(violations)}, nil
	}
	s.configured, s.stateDir = true, lock
	s.board.ensure(Health{State: Healthy})
	if err := s.life.open(); err != nil { // closed meanwhile
		s.release(context.WithoutCancel(ctx))
		return nil, err
	}
	var shared bool
	if setup.Leased {
		if err := guard("Shared", func() error { shared = s.node.Shared(); return nil }); err != nil {
			return nil, status.Errorf(codes.Internal, "%v", err)
		}
	}
	return &nodepb.ConfigureResponse{Shared: shared}, nil
}

// Claim runs the author's Claim.
func (s *server) Claim(ctx context.Context, req *nodepb.ClaimRequest) (*nodepb.ClaimResponse, error) {
	if s.node.Claim == nil {
		return nil, status.Errorf(codes.Unimplemented, "%s knows no leases", s.node.Name)
	}
	if req.GetSubject() == "" || req.GetEpoch() == 0 {
		return nil, status.Error(codes.InvalidArgument, "a claim needs a subject and an epoch from 1")
	}
	if err := s.life.enter(); err != nil {
		return nil, err
	}
	defer s.life.working.done()
	if err := guard("Claim", func() error { return s.node.Claim(ctx, req.GetSubject(), req.GetEpoch()) }); err != nil {
		return &nodepb.ClaimResponse{Failed: problemToProto(problemOf(err))}, nil
	}
	return &nodepb.ClaimResponse{}, nil
}

// open runs the author's Configure and returns its violations.
func (s *server) open(ctx context.Context, setup Setup) []Violation {
	if s.node.Configure == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, configureTimeout)
	defer cancel()
	defer context.AfterFunc(s.life.ended, cancel)() //nolint:contextcheck // Close ends it too
	err := guard("Configure", func() error { return s.node.Configure(ctx, setup) })
	if err == nil {
		return nil
	}
	p := problemOf(err)
	if len(p.Violations) > 0 {
		return p.Violations
	}
	slog.Error("the node could not be configured", "code", p.Code, "error", err, "cause", p.Err)
	return []Violation{{Code: p.Code, Message: p.Message}}
}

// WatchHealth streams the board until the host ends the stream or the node closes.
func (s *server) WatchHealth(_ *nodepb.WatchHealthRequest, stream nodepb.NodeService_WatchHealthServer) error {
	if err := s.life.running(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(s.life.ended, cancel)()
	for h := range s.board.Watch(ctx) {
		if err := stream.Send(healthToProto(h)); err != nil {
			return err
		}
	}
	return nil
}

// Drain stops the work. A repeated call waits for the first one and gets its result.
func (s *server) Drain(ctx context.Context, req *nodepb.DrainRequest) (*nodepb.DrainResponse, error) {
	return &nodepb.DrainResponse{CutKeys: s.life.drain(ctx, req.GetGrace().AsDuration())}, nil
}

// Close ends running work and then releases what Configure opened.
func (s *server) Close(ctx context.Context, _ *nodepb.CloseRequest) (*nodepb.CloseResponse, error) {
	s.close(ctx)
	return &nodepb.CloseResponse{}, nil
}

func (s *server) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	until, _ := ctx.Deadline()
	endCtx, cancelEnd := context.WithTimeout(ctx, min(endTimeout, time.Until(until)/2))
	s.life.end(endCtx)
	cancelEnd()
	s.opening.Lock()
	defer s.opening.Unlock()
	s.release(ctx)
}

// release runs the author's Close once per successful Configure.
func (s *server) release(ctx context.Context) {
	if !s.configured {
		return
	}
	s.configured = false
	defer s.stateDir.Close()
	if s.node.Close == nil {
		return
	}
	if err := guard("Close", func() error { return s.node.Close(ctx) }); err != nil {
		slog.Error("the node could not be closed", "error", err)
	}
}
