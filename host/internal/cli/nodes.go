package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/tapnode/tapnode/host/internal/app"
	"github.com/tapnode/tapnode/host/internal/catalog"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/nodes"
	"github.com/tapnode/tapnode/sdk"
)

// nodesFlag adds --nodes: the directory with the node binaries and nodes.lock.
func nodesFlag(fs *flag.FlagSet) *string {
	dir := os.Getenv("TAPNODE_NODES")
	if exe, err := os.Executable(); dir == "" && err == nil {
		dir = filepath.Join(filepath.Dir(exe), "nodes")
	}
	return fs.String("nodes", dir, "`DIR` with the node binaries and "+catalog.LockName)
}

// installation copies the node binaries into stateDir and returns them; a bad one is an error of
// the environment.
func installation(ctx context.Context, dir, stateDir string) ([]app.Installed, error) {
	if err := makeData(stateDir); err != nil {
		return nil, err
	}
	list, err := app.Installation(ctx, dir, stateDir)
	if err != nil {
		return nil, environment(err)
	}
	return list, nil
}

// offline returns the installed nodes, for commands that run none of them.
func offline(ctx context.Context, dir string) ([]app.Installed, error) {
	list, err := app.Offered(ctx, dir)
	if err != nil {
		return nil, environment(err)
	}
	return list, nil
}

// builtin returns the operations that every host offers without a node binary.
func builtin() []flow.Operation {
	ops := flow.Hosted()
	for _, n := range nodes.All(nodes.Options{}) {
		ops = append(ops, n.Operation())
	}
	return ops
}

// nodesCommand lists the catalogue, accepts the binaries of its directory, or restarts
// a node of a running server.
func nodesCommand(ctx context.Context, c console, args []string) error {
	flags := newFlags("nodes")
	dir := nodesFlag(flags)
	asJSON := flags.Bool("json", false, "print JSON")
	server := flags.String("server", "http://127.0.0.1:8080", "`URL` of the running tapnode serve, for restart")
	rest, err := parse(c, flags, args)
	if err != nil {
		return err
	}
	switch {
	case len(rest) == 1 && rest[0] == "lock":
		return lockNodes(ctx, c, *dir)
	case len(rest) == 2 && rest[0] == "restart":
		return restartNode(ctx, c, *server, rest[1])
	case len(rest) == 1 && rest[0] == "restart":
		return invalid("which node? tapnode nodes restart NAME; tapnode nodes lists them")
	case len(rest) > 0:
		return invalid("unexpected argument %q", rest[0])
	}
	list, err := offline(ctx, *dir)
	if err != nil {
		return err
	}
	if *asJSON {
		return printNodesJSON(c, list)
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "OPERATION\tKIND\tNODE\tVERSION\tSHA256\tTITLE")
	for _, node := range list {
		for _, op := range node.Manifest.Operations {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.12s\t%s\n", op.ID, op.Kind, node.Name, node.Version, node.SHA256, op.Title)
		}
	}
	for _, op := range builtin() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", op.ID, op.Kind, "(built in)", "", "", op.Title)
	}
	return w.Flush()
}

func printNodesJSON(c console, list []app.Installed) error {
	type node struct {
		catalog.Entry
		Operations []sdk.OperationManifest `json:"operations"`
	}
	out := struct {
		Nodes   []node                  `json:"nodes"`
		BuiltIn []sdk.OperationManifest `json:"builtIn"`
	}{Nodes: []node{}}
	for _, n := range list {
		out.Nodes = append(out.Nodes, node{n.Entry, n.Manifest.Operations})
	}
	for _, op := range builtin() {
		out.BuiltIn = append(out.BuiltIn, op.OperationManifest)
	}
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

// lockNodes writes nodes.lock and, beside it, what each node offers. Running it accepts the
// binaries in the directory.
func lockNodes(ctx context.Context, c console, dir string) error {
	paths, err := catalog.Discover(dir)
	if err != nil {
		return environment(err)
	}
	if len(paths) == 0 {
		return environment(fmt.Errorf("no node binary in %s", dir))
	}
	lock := catalog.Lockfile{Version: 1}
	for _, path := range paths {
		entry, manifest, err := catalog.Lock(ctx, path)
		if err == nil {
			err = entry.WriteDown(dir, manifest)
		}
		if err != nil {
			return environment(err)
		}
		fmt.Fprintf(c.err, "accepted %s %s %.12s\n", entry.Name, entry.Version, entry.SHA256)
		lock.Nodes = append(lock.Nodes, entry)
	}
	return lock.Save(filepath.Join(dir, catalog.LockName))
}
