package node

import (
	"context"
	"sync/atomic"

	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk"
)

// Version of the node binary.
const Version = "0.1.0"

// Operation ids.
const (
	opSendButtons     = "whatsapp.sendButtons@1"
	opSendText        = "whatsapp.sendText@1"
	opButtonClick     = "whatsapp.buttonClick@1"
	opMessageReceived = "whatsapp.messageReceived@1"
	opMessageStatus   = "whatsapp.messageStatus@1"
)

// node is the value behind the operations: the process, once it is configured.
type node struct {
	board   *sdk.Board
	process atomic.Pointer[process]
}

// New returns the node. It does no I/O before Configure.
func New() *sdk.Node { return newNode().offer() }

func newNode() *node { return &node{board: sdk.NewBoard()} }

func (n *node) offer() *sdk.Node {
	return &sdk.Node{
		Name:     "whatsapp-send-buttons",
		Version:  Version,
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
		}, n.instanceOperations()...),
		Configure: n.configure,
		Close:     n.close,
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
