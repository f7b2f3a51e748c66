// Package node is the node whatsapp-send-buttons: its operations, each a thin adapter from the sdk
// to the neighbouring packages. buttons, recipient and clicks are pure; send, receive, pool, media
// and store have effects.
//
// What the package guarantees:
//
//   - One message per idempotency key. Its id is derived from the key; the message and its menu are
//     on disk before it is sent, and the outcome afterwards. A repeat answers with the stored
//     outcome, or sends the stored bytes under the same id.
//   - A click is on disk before WhatsApp gets its acknowledgement, once per message of the person
//     who pressed, and carries the correlation of the send it answers.
//   - A refusal by WhatsApp becomes a problem that says what is known of the effect and what to do
//     next; no request is dropped silently.
package node

import (
	"context"
	"sync/atomic"

	"github.com/tapnode/tapnode/internal/tracing"
	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk"
)

// version of the node binary.
const version = "0.1.0"

// Operation ids.
const (
	opButtonClick     = "whatsapp.buttonClick@1"
	opMessageReceived = "whatsapp.messageReceived@1"
	opMessageStatus   = "whatsapp.messageStatus@1"
)

// node is the state behind the operations: the process, once it is configured.
type node struct {
	board   *sdk.Board
	process atomic.Pointer[process]
}

// New returns the node. It does no I/O before Configure.
func New() *sdk.Node { return newNode().offer() }

func newNode() *node { return &node{board: sdk.NewBoard()} }

func (n *node) offer() *sdk.Node {
	return &sdk.Node{
		Features: []string{sdk.FeatureCaughtUp, sdk.FeatureSubjects, sdk.FeatureLeases},
		Name:     "whatsapp-send-buttons",
		Version:  version,
		Title:    "WhatsApp Send Buttons",
		Summary:  "Sends WhatsApp messages with buttons and turns every tap into an event.",
		Settings: schemas.Read(schemas.Settings),
		Health:   n.board,
		Operations: append([]sdk.Offer{
			n.sendButtons(),
			n.buttonClick(),
			n.sendText(),
			n.messageReceived(),
			n.messageStatus(),
			n.getMessage(),
			n.findContact(),
		}, n.instanceOperations()...),
		Configure: n.configure,
		Shared:    func() bool { return n.process.Load().leased },
		Claim: func(ctx context.Context, instance string, epoch uint64) error {
			return n.process.Load().claim(ctx, instance, epoch)
		},
		Close: n.close,
	}
}

func (n *node) configure(ctx context.Context, setup sdk.Setup) error {
	p, err := open(ctx, setup, n.board)
	if err != nil {
		return err
	}
	n.process.Store(p)
	return nil
}

func (n *node) close(ctx context.Context) error {
	p := n.process.Swap(nil)
	if p == nil {
		return nil
	}
	return p.close(ctx)
}

// traced runs a call in a span below the caller's. The menu that the call sends remembers the span,
// so that a click on the menu continues the trace.
func traced[In any](operation string, run func(context.Context, *sdk.Call, In) (sdk.JSON, error)) func(context.Context, *sdk.Call, In) (sdk.JSON, error) {
	return func(ctx context.Context, call *sdk.Call, in In) (out sdk.JSON, err error) {
		ctx, span := tracing.Begin(ctx, "execute "+operation, call.Traceparent, "tapnode.operation", operation)
		defer func() { span.End(err) }()
		call.Traceparent = span.Traceparent()
		return run(ctx, call, in)
	}
}
