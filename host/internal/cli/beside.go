package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/tapnode/tapnode/host/internal/api"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// callBeside has the host that works in a data directory make a call. errNoHost means that
// there is none.
func callBeside(ctx context.Context, c console, dir string, r client.Request) error {
	if !json.Valid(r.Input) {
		return invalid("--input is not JSON")
	}
	body, err := json.Marshal(api.CallRequest{Input: r.Input, Key: r.Key, DryRun: r.DryRun})
	if err != nil {
		return err
	}
	host := newControl(dir)
	defer host.close()
	res, err := host.ask(ctx, http.MethodPost, v1("operations", r.Operation, "call"), nil, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, sdk.MaxMessage+64<<10)
	for lines.Scan() {
		var line api.CallLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("the answer of the host is not JSON: %w", err)
		}
		switch {
		case line.Progress != nil:
			printProgress(c.err, *line.Progress)
		case line.Problem != nil:
			return c.outcome(client.Result{}, line.Problem)
		case line.Error != "":
			return errors.New(line.Error)
		case line.Result != nil:
			return c.outcome(client.Result{Output: sdk.JSON(line.Result.Output), Warnings: line.Result.Warnings}, nil)
		}
	}
	return fmt.Errorf("the host ended before the call did; whether it happened is not known, repeat it with the same --key: %w", errors.Join(lines.Err(), ctx.Err()))
}
