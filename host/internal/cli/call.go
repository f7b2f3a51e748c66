package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// call runs one operation of a node in the foreground, for example to create and pair an instance
// from a terminal.
func call(ctx context.Context, c console, args []string) error {
	flags := newFlags("call")
	hf := addHostFlags(flags)
	to := reachFlags(flags, hf.data)
	input := flags.String("input", "{}", "input of the operation, `JSON`; - reads stdin")
	key := flags.String("key", "", "idempotency `KEY`: repeats of the call under it happen once")
	dry := flags.Bool("dry-run", false, "print what would be done, do nothing")
	rest, err := parse(c, flags, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return invalid("name one operation; tapnode nodes lists them, tapnode call -h the flags")
	}
	raw := []byte(*input)
	if *input == "-" {
		if raw, err = readAll(ctx, os.Stdin); err != nil {
			return err
		}
	}
	r := client.Request{Operation: rest[0], Input: raw, Key: *key, DryRun: *dry}
	if to.remote() != "" && hf.simulated() {
		return invalid("--simulate starts a host here: it does not go with --url or %s", urlEnv)
	}
	if !hf.simulated() || given(flags, "data") {
		beside, err := to.control(c)
		if err != nil {
			return err
		}
		defer beside.close()
		if err := callBeside(ctx, c, beside, r); !errors.Is(err, errNoHost) {
			return err
		}
	}
	h, err := openHost(ctx, c, flags, hf, hostUse{})
	if err != nil {
		return err
	}
	if known := operationIDs(h.Operations()); !slices.Contains(known, rest[0]) {
		return errors.Join(invalid("no node offers the operation %.80q: %s", rest[0], flow.DidYouMean(rest[0], known)), h.stop(nil))
	}
	return errors.Join(h.callOnce(ctx, c, r), h.stop(nil))
}

// readAll reads to the end, or until the user interrupts.
func readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	type input struct {
		raw []byte
		err error
	}
	done := make(chan input, 1)
	go func() { // ends with the process, if the reader does not end before
		raw, err := io.ReadAll(io.LimitReader(r, sdk.MaxMessage+1))
		done <- input{raw, err}
	}()
	select {
	case in := <-done:
		if len(in.raw) > sdk.MaxMessage {
			return nil, invalid("the input has more than %d bytes, which is the limit", sdk.MaxMessage)
		}
		return in.raw, in.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func operationIDs(operations []sdk.OperationManifest) []string {
	var ids []string
	for _, op := range operations {
		if op.Kind != sdk.KindTrigger {
			ids = append(ids, op.ID)
		}
	}
	return ids
}

func (h *host) callOnce(ctx context.Context, c console, r client.Request) error {
	if err := h.Start(ctx); err != nil {
		return environment(err)
	}
	shown := screen{w: c.err}
	result, err := h.Execute(ctx, r, shown.show)
	return c.outcome(result, err)
}

// outcome prints the output of a call, or reports why it failed.
func (c console) outcome(result client.Result, err error) error {
	var problem *sdk.Problem
	if errors.As(err, &problem) {
		for _, v := range problem.Violations {
			fmt.Fprintln(c.err, printable(cmp.Or(v.Pointer, "the input")+": "+v.Message))
		}
		code := exitFailed
		if problem.Fault == sdk.FaultCaller && problem.HTTPStatus == 400 {
			code = exitInvalid
		}
		return &exit{code, fmt.Errorf("%s: %w", problem.Code, problem)}
	}
	if refused, ok := errors.AsType[*client.TransportError](err); ok && refused.Code == codes.InvalidArgument {
		return &exit{exitInvalid, err}
	}
	if err != nil {
		return err
	}
	for _, w := range result.Warnings {
		fmt.Fprintln(c.err, "warning:", w.Message)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, result.Output, "", "  "); err != nil {
		return fmt.Errorf("the node's output is not JSON: %w", err)
	}
	fmt.Fprintln(c.out, out.String())
	return nil
}
