package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk/schema"
)

// handlers are an operation's functions without their types: a value of type In is passed as any
// from check to run. check gets inputs that have passed [schema.Document], unless ownCheck is set.
type handlers struct {
	ownCheck bool // check reads the document itself
	check    func(s *schema.Schema, input []byte) (any, []Violation, []Warning)
	preview  func(ctx context.Context, call *Call, in any) (any, error)
	run      func(ctx context.Context, call *Call, in any) (any, error)
	open     func(ctx context.Context, s Subscription) (Reader, error)
}

// Manifest describes the action to a host.
func (a Action[In, Out]) Manifest() OperationManifest {
	return OperationManifest{
		ID: a.ID, Kind: KindAction, Title: a.Title, Summary: a.Summary, Icon: a.Icon,
		Input: a.Input, Output: a.Output, Ports: a.Ports, PortRules: a.PortRules, Events: a.Events,
		Replay: replayOf(a.Replay), HTTP: a.HTTP,
	}
}

func (a Action[In, Out]) bind() handlers {
	h := handlers{ownCheck: a.Check != nil, check: checkWith(a.Check), run: runWith(a.Run)}
	if a.Preview != nil {
		h.preview = func(ctx context.Context, call *Call, in any) (any, error) {
			typed, _ := in.(In) // a nil interface value loses its type on the way
			return a.Preview(ctx, call, typed)
		}
	}
	return h
}

// Manifest describes the operation to a host.
func (o Operation[In, Out]) Manifest() OperationManifest {
	return OperationManifest{
		ID: o.ID, Kind: KindOperation, Title: o.Title, Summary: o.Summary, Icon: o.Icon,
		Input: o.Input, Output: o.Output, Replay: replayOf(o.Replay), HTTP: o.HTTP,
	}
}

func (o Operation[In, Out]) bind() handlers {
	return handlers{ownCheck: o.Check != nil, check: checkWith(o.Check), run: runWith(o.Run)}
}

// Manifest describes the trigger to a host.
func (t Trigger) Manifest() OperationManifest {
	return OperationManifest{
		ID: t.ID, Kind: KindTrigger, Title: t.Title, Summary: t.Summary, Icon: t.Icon,
		Input: t.Filter, Ports: t.Ports, Events: t.Events,
	}
}

func (t Trigger) bind() handlers {
	return handlers{check: checkWith[json.RawMessage](nil), open: t.Open}
}

func replayOf(r Replay) Replay {
	if r == "" {
		return Unsafe
	}
	return r
}

func runWith[In, Out any](run func(context.Context, *Call, In) (Out, error)) func(context.Context, *Call, any) (any, error) {
	if run == nil {
		return nil
	}
	return func(ctx context.Context, call *Call, in any) (any, error) {
		typed, _ := in.(In)
		return run(ctx, call, typed)
	}
}

func checkWith[In any](own func([]byte) (In, []Violation, []Warning)) func(*schema.Schema, []byte) (any, []Violation, []Warning) {
	if own != nil {
		return func(_ *schema.Schema, input []byte) (any, []Violation, []Warning) {
			return own(input)
		}
	}
	return func(s *schema.Schema, input []byte) (any, []Violation, []Warning) {
		var in In
		filled, findings := s.CheckValue(input)
		if len(findings) > 0 {
			return in, violationsOf(findings), nil
		}
		if raw, ok := any(&in).(*json.RawMessage); ok {
			*raw = filled
			return in, nil, nil
		}
		if v := decodeStrict(filled, &in); v != nil {
			return in, []Violation{*v}, nil
		}
		return in, nil, nil
	}
}

// decodeStrict decodes a document that its schema has accepted. It refuses only what the schema
// permits and the Go type does not.
func decodeStrict(document []byte, v any) *Violation {
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		v := &Violation{Code: "type", Message: "a " + wrong.Value + " does not fit here"}
		if member, _, _ := strings.Cut(wrong.Field, "."); member != "" { // deeper, encoding/json leaves out array indexes
			v.Pointer = jsonstrict.Pointer("", member)
		}
		return v
	}
	return &Violation{Code: "invalid", Message: strings.TrimPrefix(err.Error(), "json: ")}
}

// maxViolations is how many violations of one document are reported, plus one that counts the rest:
// a document can have a hundred thousand, and nobody reads them all.
const maxViolations = 1000

func violationsOf(findings []schema.Finding) []Violation {
	if len(findings) == 0 {
		return nil
	}
	told := min(len(findings), maxViolations)
	out := make([]Violation, told, told+1)
	for i, f := range findings[:told] {
		out[i] = Violation(f)
	}
	if more := len(findings) - told; more > 0 {
		out = append(out, Violation{Code: "too_many", Message: fmt.Sprintf("and %d more violations", more), Suggestion: "mend these first"})
	}
	return out
}
