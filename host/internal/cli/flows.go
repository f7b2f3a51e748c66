package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	v1api "github.com/tapnode/tapnode/host/internal/api/v1"
	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// flows manages the versions of flows of a running host.
func flows(ctx context.Context, c console, args []string) error {
	return subcommand(ctx, c, "flows", args, map[string]func(context.Context, console, *flag.FlagSet, []string) error{
		"publish": publishFlows, "list": listFlows, "show": showFlow, "diff": diffFlow, "retire": retireFlow, "restore": restoreFlow, "export": exportFlow,
	})
}

// flowArgs reads the flags that all have, and a number of arguments from least to most.
func flowArgs(c console, fs *flag.FlagSet, args []string, least, most int, want string) (host *control, rest []string, asJSON bool, err error) {
	to := reachFlags(fs, dataFlag(fs))
	printsJSON := fs.Bool("json", false, "print JSON")
	rest, err = parse(c, fs, args)
	if err == nil && (len(rest) < least || most >= 0 && len(rest) > most) {
		sub, _, _ := strings.Cut(want, " ")
		err = invalid("want tapnode %s %s (see tapnode %s %s -h)", fs.Name(), want, fs.Name(), sub)
	}
	if err == nil {
		host, err = to.control(c)
	}
	return host, rest, *printsJSON, err
}

func publishFlows(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	draft := fs.Bool("draft", false, "for publish: only keep it, as the flow's draft")
	host, paths, asJSON, err := flowArgs(c, fs, args, 1, -1, "publish FILE…")
	if err != nil {
		return err
	}
	defer host.close()
	query := url.Values{}
	if *draft {
		query.Set("draft", "true")
	}
	bad := false
	for _, path := range paths {
		source, err := readFlow(path)
		if err != nil {
			return err
		}
		var p v1api.Published
		err = host.get(ctx, http.MethodPost, v1("flows"), query, source, &p)
		var wrong found
		if errors.As(err, &wrong) && len(wrong.Findings) > 0 {
			printFindings(c.err, path, wrong.Findings, false)
			bad = true
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		printFindings(c.err, path, p.Findings, false)
		if err := printPublished(c, p, asJSON); err != nil {
			return err
		}
	}
	if bad {
		return &exit{code: exitInvalid}
	}
	return nil
}

func readFlow(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, &exit{exitInvalid, err}
	}
	defer file.Close()
	source, err := io.ReadAll(io.LimitReader(file, flow.MaxSize+1))
	if err != nil {
		return nil, &exit{exitInvalid, err}
	}
	return source, nil
}

func printPublished(c console, p v1api.Published, asJSON bool) error {
	if asJSON {
		return printJSON(c.out, p)
	}
	was := "is"
	if !p.New {
		was = "was already"
	}
	_, err := fmt.Fprintf(c.out, "%s version %d %s %s\n", printable(p.Flow), p.Number, was, p.State)
	return err
}

func listFlows(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, _, asJSON, err := flowArgs(c, fs, args, 0, 0, "list")
	if err != nil {
		return err
	}
	defer host.close()
	var all struct {
		Flows []engine.Version `json:"flows"`
	}
	if err := host.get(ctx, http.MethodGet, v1("flows"), nil, nil, &all); err != nil {
		return err
	}
	return printVersions(c, all.Flows, all, asJSON)
}

func showFlow(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 1, "show FLOW")
	if err != nil {
		return err
	}
	defer host.close()
	var all struct {
		Versions []engine.Version `json:"versions"`
	}
	if err := host.get(ctx, http.MethodGet, v1("flows", rest[0], "versions"), nil, nil, &all); err != nil {
		return err
	}
	return printVersions(c, all.Versions, all, asJSON)
}

func printVersions(c console, list []engine.Version, all any, asJSON bool) error {
	if asJSON {
		return printJSON(c.out, all)
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "FLOW\tVERSION\tSTATE\tSINCE\tDIGEST")
	for _, v := range list {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%.12s\n", printable(v.Flow), v.Number, v.State, v.Changed.Local().Format(time.DateTime), v.Digest)
	}
	return w.Flush()
}

func diffFlow(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 3, "diff FLOW [FROM [TO]]")
	if err != nil {
		return err
	}
	defer host.close()
	query := url.Values{}
	for i, name := range []string{"from", "to"} {
		if len(rest) > i+1 {
			query.Set(name, rest[i+1])
		}
	}
	var all struct {
		Changes []flow.Change `json:"changes"`
	}
	if err := host.get(ctx, http.MethodGet, v1("flows", rest[0], "diff"), query, nil, &all); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, all)
	}
	for _, x := range all.Changes {
		if _, err := fmt.Fprintln(c.out, printable(x.Text)); err != nil {
			return err
		}
	}
	if len(all.Changes) == 0 {
		fmt.Fprintln(c.err, "no difference")
	}
	return nil
}

func retireFlow(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 1, "retire FLOW")
	if err != nil {
		return err
	}
	defer host.close()
	var answer map[string]string
	if err := host.get(ctx, http.MethodPost, v1("flows", rest[0], "retire"), nil, nil, &answer); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, answer)
	}
	_, err = fmt.Fprintf(c.out, "%s starts no more runs; those that have begun go on\n", printable(rest[0]))
	return err
}

func restoreFlow(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, asJSON, err := flowArgs(c, fs, args, 2, 2, "restore FLOW VERSION")
	if err != nil {
		return err
	}
	defer host.close()
	var p v1api.Published
	if err := host.get(ctx, http.MethodPost, v1("flows", rest[0], "versions", rest[1], "publish"), nil, nil, &p); err != nil {
		return err
	}
	printFindings(c.err, rest[0], p.Findings, false)
	return printPublished(c, p, asJSON)
}

// exportFlow prints the file of a version, the published one if none is named.
func exportFlow(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 2, "export FLOW [VERSION]")
	if err != nil {
		return err
	}
	defer host.close()
	var versions struct {
		Versions []engine.Version `json:"versions"`
	}
	if err := host.get(ctx, http.MethodGet, v1("flows", rest[0], "versions"), nil, nil, &versions); err != nil {
		return err
	}
	number := strconv.Itoa(versions.Versions[0].Number)
	for _, v := range versions.Versions {
		if v.State == engine.Published {
			number = strconv.Itoa(v.Number)
		}
	}
	if len(rest) == 2 {
		number = rest[1]
	}
	var source []byte
	if err := host.get(ctx, http.MethodGet, v1("flows", rest[0], "versions", number, "source"), nil, nil, &source); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, map[string]string{"flow": rest[0], "version": number, "source": string(source)})
	}
	_, err = c.out.Write(source)
	return err
}
