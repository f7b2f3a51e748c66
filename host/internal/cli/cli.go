// Package cli is the tapnode command: it reads flags, calls the packages that do
// the work, and prints for people or, with --json, for programs.
//
// What a command prints on stdout is its result; everything else goes to stderr.
// Exit codes: 0 it worked, 1 it failed at run time, 2 the input is invalid, 3 the
// environment is (a node binary is missing, an address is taken). The first SIGINT
// or SIGTERM stops in order, the second at once (128 + its number).
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitInvalid     = 2
	exitEnvironment = 3
)

// exit is an error with the code it ends the command with.
type exit struct {
	code int
	err  error // nil: everything was said already
}

func (e *exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func invalid(format string, args ...any) error {
	return &exit{exitInvalid, fmt.Errorf(format, args...)}
}

func environment(err error) error { return &exit{exitEnvironment, err} }

// console is where a command prints.
type console struct {
	out, err io.Writer
}

type command struct {
	name, args, help string
	run              func(ctx context.Context, c console, args []string) error
}

func commands() []command {
	return []command{
		{"run", "FLOW [--simulate] [--click BUTTON]… [--var k=v]… [--json]", "run a flow once, in the foreground", runFlow},
		{"serve", "[--simulate] [--listen ADDR] [--data DIR] [FLOW…]", "serve flows until stopped", serve},
		{"call", "OPERATION [--input JSON] [--simulate]", "run one operation of a node, such as pairing an instance", call},
		{"validate", "FLOW… [--json]", "check flow files, offline, all findings", validate},
		{"nodes", "[--json] | lock", "list the node binaries that may run; lock accepts them as they are", nodesCommand},
		{"token", "[--instance NAME]", "make a token for the HTTP API", token},
		{"version", "", "print the version", version},
	}
}

// Main runs one command and returns its exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signals()
	defer stop()
	c := console{stdout, stderr}
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(stdout)
		if len(args) == 0 {
			return exitInvalid
		}
		return exitOK
	}
	for _, cmd := range commands() {
		if cmd.name == args[0] {
			return c.code(cmd.run(ctx, c, args[1:]))
		}
	}
	fmt.Fprintf(stderr, "tapnode: unknown command %q; run tapnode help\n", args[0])
	return exitInvalid
}

func (c console) code(err error) int {
	var e *exit
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &e):
		if e.err != nil {
			fmt.Fprintln(c.err, "tapnode:", e.err)
		}
		return e.code
	default:
		fmt.Fprintln(c.err, "tapnode:", err)
		return exitFailed
	}
}

func usage(w io.Writer) {
	fmt.Fprint(w, "tapnode runs flows whose steps are node binaries.\n\n")
	for _, cmd := range commands() {
		fmt.Fprintf(w, "  tapnode %s %s\n        %s\n", cmd.name, cmd.args, cmd.help)
	}
	fmt.Fprint(w, "\nExit codes: 0 ok, 1 failed at run time, 2 invalid input, 3 environment.\n")
}

// signals ends the context on the first SIGINT or SIGTERM and the process on the
// second.
func signals() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-ch:
			cancel()
		case <-ctx.Done():
		}
		// From here on the default action of a second signal applies.
		signal.Stop(ch)
	}()
	return ctx, cancel
}

// parse reads flags that may stand before, between and after the positional
// arguments.
func parse(c console, fs *flag.FlagSet, args []string) ([]string, error) {
	fs.SetOutput(c.err)
	var positional []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, &exit{code: exitInvalid} // the flag set has said why
		}
		rest := fs.Args()
		if len(rest) == 0 {
			return positional, nil
		}
		if consumed := len(args) - len(rest); consumed > 0 && args[consumed-1] == "--" {
			return append(positional, rest...), nil
		}
		positional = append(positional, rest[0])
		args = rest[1:]
	}
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

func version(_ context.Context, c console, _ []string) error {
	v := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	fmt.Fprintln(c.out, "tapnode", v)
	return nil
}
