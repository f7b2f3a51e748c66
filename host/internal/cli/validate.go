package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/tapnode/tapnode/host/internal/app"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// validate checks flow files without starting anything.
func validate(ctx context.Context, c console, args []string) error {
	flags := newFlags("validate")
	dir := nodesFlag(flags)
	asJSON := flags.Bool("json", false, "print one JSON object per finding")
	paths, err := parse(c, flags, args)
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return invalid("name at least one flow file (see tapnode validate -h)")
	}
	list, err := offline(ctx, *dir)
	if err != nil {
		return err
	}
	cat, err := app.NewCatalogue(list)
	if err != nil {
		return environment(err)
	}
	bad := false
	for _, path := range paths {
		_, findings, err := load(path, cat)
		if err != nil {
			c.complain(err)
			bad = true
			continue
		}
		printFindings(c.out, path, findings, *asJSON)
		switch {
		case flow.HasErrors(findings):
			bad = true
		case !*asJSON:
			fmt.Fprintf(c.out, "%s: ok\n", path)
		}
	}
	if bad {
		return &exit{code: exitInvalid}
	}
	return nil
}

// load reads and checks one flow file. An error means that it could not be read. Errors in the flow
// itself are findings, and then there is no program.
func load(path string, cat *flow.Catalogue) (*flow.Program, []flow.Finding, error) {
	src, err := readFlow(path)
	if err != nil {
		return nil, nil, err
	}
	program, findings, err := flow.Load(src, cat)
	var bad *flow.InvalidError
	if errors.As(err, &bad) {
		return nil, bad.Findings, nil
	}
	return program, findings, err
}

func printFindings(w io.Writer, path string, findings []flow.Finding, asJSON bool) {
	for _, f := range findings {
		if asJSON {
			raw, err := json.Marshal(struct {
				File string `json:"file"`
				flow.Finding
			}{path, f})
			if err == nil { // always, since a Finding is strings and a number
				fmt.Fprintf(w, "%s\n", raw)
			}
			continue
		}
		sep := ": "
		if f.Line > 0 {
			sep = ":" // path:line: as editors and terminals link it
		}
		fmt.Fprintln(w, path+sep+printable(f.String()))
	}
}
