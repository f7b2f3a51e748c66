package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// callBeside makes a call through a running host. errNoHost means that none works in the data
// directory.
func callBeside(ctx context.Context, c console, host *control, r client.Request) error {
	if fault := jsonstrict.Check(r.Input, jsonstrict.Limits{}); fault != nil {
		return invalid("--input: %w", fault)
	}
	body, err := json.Marshal(map[string]json.RawMessage{"input": r.Input})
	if err != nil {
		return err
	}
	header := http.Header{"Accept": {"text/event-stream"}}
	if r.Key != "" {
		header.Set("Idempotency-Key", r.Key)
	}
	how := "execute"
	if r.DryRun {
		how = "preview"
	}
	res, err := host.ask(ctx, http.MethodPost, v1("operations", r.Operation, how), nil, body, header)
	if err != nil {
		return c.refusedCall(err)
	}
	defer res.Body.Close()
	if r.DryRun {
		return c.told(res.Body)
	}
	shown := screen{w: c.err}
	for ev, err := range serverSent(res.Body) {
		if err != nil {
			return unknownEnd(ctx, err)
		}
		switch ev.kind {
		case "progress":
			var p client.Progress
			if err := json.Unmarshal(ev.data, &p); err != nil {
				return fmt.Errorf("the answer of the host is not JSON: %w", err)
			}
			shown.show(p)
		case "result":
			return c.told(bytes.NewReader(ev.data))
		default:
			return c.refusedCall(denied(0, ev.data))
		}
	}
	return unknownEnd(ctx, nil)
}

func unknownEnd(ctx context.Context, err error) error {
	return fmt.Errorf("the host ended before the call did; whether it happened is not known, repeat it with the same --key: %w", cmp.Or(err, ctx.Err(), io.ErrUnexpectedEOF))
}

// told prints the outcome in the host's response.
func (c console) told(answer io.Reader) error {
	var r struct {
		Output   sdk.JSON      `json:"output"`
		Warnings []sdk.Warning `json:"warnings"`
	}
	if err := json.NewDecoder(answer).Decode(&r); err != nil {
		return fmt.Errorf("the answer of the host cannot be read: %w", err)
	}
	return c.outcome(client.Result{Output: r.Output, Warnings: r.Warnings}, nil)
}

// refusedCall prints a problem that a node reported. An error of the host itself it returns
// unchanged.
func (c console) refusedCall(err error) error {
	said, ok := errors.AsType[found](err)
	if !ok || said.Fault == "" {
		return err
	}
	p := &sdk.Problem{Code: said.Code, HTTPStatus: said.Status, Message: said.Detail, Effect: said.Effect, Fault: said.Fault}
	for _, f := range said.Findings {
		p.Violations = append(p.Violations, sdk.Violation{Pointer: strings.TrimPrefix(f.Pointer, "/input"), Code: f.Code, Message: f.Message, Suggestion: f.Suggestion})
	}
	return c.outcome(client.Result{}, p)
}
