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
	"time"

	v1api "github.com/tapnode/tapnode/host/internal/api/v1"
	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// flows manages the versions of flows of a running host.
func flows(ctx context.Context, c console, args []string) error {
	return errands(ctx, c, "flows", args, map[string]order{
		"publish": {"FILE…", publishFlows}, "list": plain("", listFlows), "show": plain("FLOW", showFlow), "diff": plain("FLOW [FROM [TO]]", diffFlow),
		"retire": plain("FLOW", retireFlow), "restore": plain("FLOW VERSION", restoreFlow), "export": plain("FLOW [VERSION]", exportFlow),
	})
}

func publishFlows(fs *flag.FlagSet) func(context.Context, errand) error {
	draft := fs.Bool("draft", false, "for publish: only keep it, as the flow's draft")
	return func(ctx context.Context, e errand) error {
		query := url.Values{}
		if *draft {
			query.Set("draft", "true")
		}
		bad := false
		for _, path := range e.args {
			source, err := readFlow(path)
			if err != nil {
				return err
			}
			var p v1api.Published
			err = e.host.get(ctx, http.MethodPost, v1("flows"), query, source, &p)
			var wrong found
			if errors.As(err, &wrong) && len(wrong.Findings) > 0 {
				printFindings(e.err, path, wrong.Findings, false)
				bad = true
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if err := e.published(path, p); err != nil {
				return err
			}
		}
		if bad {
			return &exit{code: exitInvalid}
		}
		return nil
	}
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

// published prints the result of publishing a flow; name is its file or its id.
func (e errand) published(name string, p v1api.Published) error {
	printFindings(e.err, name, p.Findings, false)
	return e.print(p, func() error {
		was := "is"
		if !p.New {
			was = "was already"
		}
		return e.say("%s version %d %s %s", printable(p.Flow), p.Number, was, p.State)
	})
}

func listFlows(ctx context.Context, e errand) error {
	var all struct {
		Flows []engine.Version `json:"flows"`
	}
	return e.list(ctx, v1("flows"), nil, &all, func() error { return e.printVersions(all.Flows) })
}

func showFlow(ctx context.Context, e errand) error {
	var all struct {
		Versions []engine.Version `json:"versions"`
	}
	return e.list(ctx, v1("flows", e.args[0], "versions"), nil, &all, func() error { return e.printVersions(all.Versions) })
}

func (e errand) printVersions(list []engine.Version) error {
	w := e.table("FLOW\tVERSION\tSTATE\tSINCE\tDIGEST")
	for _, v := range list {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%.12s\n", printable(v.Flow), v.Number, v.State, v.Changed.Local().Format(time.DateTime), v.Digest)
	}
	return w.Flush()
}

func diffFlow(ctx context.Context, e errand) error {
	query := url.Values{}
	for i, version := range e.args[1:] {
		query.Set([]string{"from", "to"}[i], version)
	}
	var all struct {
		Changes []flow.Change `json:"changes"`
	}
	return e.list(ctx, v1("flows", e.args[0], "diff"), query, &all, func() error {
		for _, x := range all.Changes {
			if err := e.say("%s", printable(x.Text)); err != nil {
				return err
			}
		}
		if len(all.Changes) == 0 {
			fmt.Fprintln(e.err, "no difference")
		}
		return nil
	})
}

func retireFlow(ctx context.Context, e errand) error {
	var answer map[string]string
	return e.change(ctx, http.MethodPost, v1("flows", e.args[0], "retire"), nil, &answer, func() error {
		return e.say("%s starts no more runs; those that have begun go on", printable(e.args[0]))
	})
}

func restoreFlow(ctx context.Context, e errand) error {
	var p v1api.Published
	if err := e.host.get(ctx, http.MethodPost, v1("flows", e.args[0], "versions", e.args[1], "publish"), nil, nil, &p); err != nil {
		return err
	}
	return e.published(e.args[0], p)
}

// exportFlow prints the file of a version, the published one if none is named.
func exportFlow(ctx context.Context, e errand) error {
	id := e.args[0]
	var versions struct {
		Versions []engine.Version `json:"versions"`
	}
	if err := e.get(ctx, v1("flows", id, "versions"), nil, &versions); err != nil {
		return err
	}
	number := strconv.Itoa(versions.Versions[0].Number)
	for _, v := range versions.Versions {
		if v.State == engine.Published {
			number = strconv.Itoa(v.Number)
		}
	}
	if len(e.args) == 2 {
		number = e.args[1]
	}
	var source []byte
	if err := e.get(ctx, v1("flows", id, "versions", number, "source"), nil, &source); err != nil {
		return err
	}
	return e.print(map[string]string{"flow": id, "version": number, "source": string(source)}, func() error {
		_, err := e.out.Write(source)
		return err
	})
}
