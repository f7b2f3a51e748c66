// Package nodes contains the steps that are built into the host: log, set, switch, fail, respond,
// transform and http.request. They have the same shape as those of a node binary: an operation with
// its major version, JSON Schemas, ports, and Execute.
//
// A built-in step reaches no further than it declares: http.request dials no address that is not
// public unless the host's owner allows it. The engine contains panics.
package nodes

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
)

// Node is one built-in step.
type Node interface {
	// Operation describes the step to flows.
	Operation() flow.Operation
	// Execute runs the step. The input was checked against the operation's schema as far as it was
	// known before the run; Execute must check the values that expressions added. key is the same
	// for every attempt of a call. The output is a value that encoding/json can encode. To report a
	// failure precisely, Execute returns a *sdk.Problem.
	Execute(ctx context.Context, key string, input map[string]any) (any, error)
}

// Options of the built-in nodes.
type Options struct {
	// Log is where log@1 writes; nil is slog.Default.
	Log *slog.Logger
	// AllowPrivate lets http.request reach loopback and private addresses.
	AllowPrivate bool
}

// All returns every built-in node.
func All(o Options) []Node {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return []Node{logNode{o.Log}, setNode{}, switchNode{}, failNode{}, respondNode{}, transformNode{}, newRequestNode(o.AllowPrivate)}
}

// decode converts an input to the type that a node works with.
func decode(input map[string]any, into any) error {
	raw, err := json.Marshal(input)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return misshapen("", fmt.Sprintf("the input has the wrong shape: %v", err))
	}
	return nil
}

// misshapen reports an input to which expressions gave another shape than that of the schema.
func misshapen(pointer, message string) error {
	return sdk.Invalid(sdk.Violation{Pointer: pointer, Code: "invalid_request", Message: message})
}

//go:embed schema/*.json
var files embed.FS

// schema returns an embedded file; the names are constants of this package.
func schema(name string) []byte {
	b, err := files.ReadFile("schema/" + name + ".json")
	if err != nil {
		panic(fmt.Sprintf("nodes: no schema %q in this build", name))
	}
	return b
}
