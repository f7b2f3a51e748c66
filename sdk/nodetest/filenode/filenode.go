// Package filenode is a small node that keeps every promise of the contract: its
// one KEYED action appends a line to a file, its trigger reads the lines. The
// conformance suite proves itself on it, and a node author can read how a key,
// an outbox and a cursor fit together.
//
// On disk: state_dir/lines holds one JSON object per line, {"key","text",
// "correlation"}. A line is written and synced in one piece; half a line at the
// end, left by a crash, is cut off when the node opens. A key has at most one
// line, so an append may be repeated. The cursor is the offset after a line.
package filenode

import (
	"context"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

type input struct {
	Text string `json:"text"`
}

type output struct {
	Offset int64 `json:"offset"`
}

// New returns the node.
func New() *sdk.Node {
	n := &node{board: sdk.NewBoard()}
	return &sdk.Node{
		Name: "filenode", Version: "1.0.0", Title: "Lines in a file", Health: n.board,
		Settings: []byte(`{"type":"object","additionalProperties":false,"properties":{
			"title":{"type":"string","maxLength":100,"default":"lines"},
			"password":{"type":"string","writeOnly":true}}}`),
		Configure: n.open,
		Close:     func(context.Context) error { return n.file.close() },
		Operations: []sdk.Offer{
			sdk.Action[input, output]{
				ID: "file.append@1", Title: "Append a line", Replay: sdk.Keyed,
				Input:   []byte(`{"type":"object","required":["text"],"additionalProperties":false,"properties":{"text":{"type":"string","minLength":1,"maxLength":1000}}}`),
				Output:  []byte(`{"type":"object","required":["offset"],"properties":{"offset":{"type":"integer"}}}`),
				Preview: func(_ context.Context, _ *sdk.Call, in input) (any, error) { return in, nil },
				Run:     n.append,
			},
			sdk.Action[struct{}, struct{}]{
				ID: "file.wait@1", Title: "Wait until cancelled", Replay: sdk.Pure,
				Input:  []byte(`{"type":"object"}`),
				Output: []byte(`{"type":"object"}`),
				Run: func(ctx context.Context, call *sdk.Call, _ struct{}) (struct{}, error) {
					call.Progress("waiting", "nothing will happen", nil)
					<-ctx.Done()
					return struct{}{}, ctx.Err()
				},
			},
			sdk.Trigger{
				ID: "file.appended@1", Title: "A line was appended", Open: n.read,
				Filter: []byte(`{"type":"object","additionalProperties":false}`),
				Events: []sdk.EventType{{Type: "file.line.v1", Title: "A line", Schema: []byte(`{"type":"object","required":["text"],"properties":{"text":{"type":"string"}}}`)}},
			},
		},
	}
}

type node struct {
	board *sdk.Board
	file  *lines
}

func (n *node) open(_ context.Context, setup sdk.Setup) (err error) {
	if setup.StateDir == "" {
		return sdk.Invalid(sdk.Violation{Code: "no_state_dir", Message: "the file needs a state directory"})
	}
	if n.file, err = openLines(setup.StateDir); err == nil {
		n.board.Set(sdk.Health{State: sdk.Healthy})
	}
	return err
}

func (n *node) append(_ context.Context, call *sdk.Call, in input) (output, error) {
	l := line{Key: call.Key, Text: in.Text, Correlation: call.Correlation}
	end, before, err := n.file.append(l)
	if err != nil {
		return output{}, err
	}
	if before != nil {
		if before.Text != in.Text {
			return output{}, &sdk.Problem{
				Code: "idempotency_mismatch", HTTPStatus: http.StatusConflict, Effect: sdk.EffectNone, Fault: sdk.FaultCaller,
				Message: "this idempotency key has appended another text; use a new key",
			}
		}
		call.Replayed()
	}
	return output{Offset: end}, nil
}

func (n *node) read(_ context.Context, s sdk.Subscription) (sdk.Reader, error) {
	return n.file.from(s.Cursor)
}

// reader follows the file from an offset.
type reader struct {
	file *lines
	at   int64
}

func (r *reader) Resumed() bool                     { return true } // nothing is ever deleted
func (r *reader) Ack(context.Context, []byte) error { return nil }
func (r *reader) Close() error                      { return nil }

func (r *reader) Next(ctx context.Context) (sdk.Event, error) {
	l, end, err := r.file.next(ctx, r.at)
	if err != nil {
		return sdk.Event{}, err
	}
	r.at = end
	return sdk.Event{
		ID: l.Key, Type: "file.line.v1", Time: time.Unix(0, 0).UTC(), Data: marshal(input{l.Text}),
		Cursor: cursorOf(end), Correlation: l.Correlation,
	}, nil
}
