// Package nodes holds the steps the host itself brings: log, set, switch, fail, respond,
// transform and http.request. They have the same shape as those of a node binary: an
// operation with its major version, JSON Schemas, ports, and Execute.
//
// A built-in never reaches further than it says: http.request dials no address
// that is not public unless the host's owner allows it. A panic is contained by
// the engine.
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
	// Operation describes it to flows.
	Operation() flow.Operation
	// Execute runs it. The input has passed the operation's schema as far as it was
	// known before the run; what expressions added is for Execute to check. key is the
	// same for every attempt of a call. The output is a value encoding/json can write. To
	// fail precisely it returns a *sdk.Problem.
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

// decode reads an input into the shape a node works with.
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

// misshapen is an input that expressions gave another shape than the schema's.
func misshapen(pointer, message string) error {
	return sdk.Invalid(sdk.Violation{Pointer: pointer, Code: "invalid_request", Message: message})
}

//go:embed schema/*.json
var files embed.FS

// schema is one embedded file; the names are constants of this package.
func schema(name string) []byte {
	b, err := files.ReadFile("schema/" + name + ".json")
	if err != nil {
		panic(fmt.Sprintf("nodes: no schema %q in this build", name))
	}
	return b
}
