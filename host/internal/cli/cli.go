// Package cli is the tapnode command: it reads flags, calls the packages that do
// the work, and prints for people or, with --json, for programs.
//
// A command prints its result on stdout and everything else on stderr. Nobody has to read stderr,
// nor the stdout of serve: output that cannot be written is lost, and the command continues. Exit
// codes: 0 it worked, 1 it failed at run time, 2 the input is invalid, 3 the environment is (a node
// binary is missing, an address is taken). The first SIGINT or SIGTERM stops in order, the second
// at once (128 + its number).
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

	"golang.org/x/term"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/internal/lossy"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitInvalid     = 2
	exitEnvironment = 3
)

// exit is an error with the exit code of the command.
type exit struct {
	code int
	err  error // nil: everything has been reported already
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
	person   bool // out is a terminal
}

type command struct {
	name, args, help string
	run              func(ctx context.Context, c console, args []string) error
}

// A group is a set of commands listed together in the help.
type group struct {
	title    string
	commands []command
}

func groups() []group {
	return []group{
		{"Flows, here", []command{
			{"run", "FLOW [--simulate] [--click BUTTON]… [--text WORDS]… [--trigger ID] [--var NAME=VALUE]… [--json]", "run a flow once, in the foreground", runFlow},
			{"validate", "FLOW… [--json]", "check flow files, offline, all findings", validate},
		}},
		{"A host", []command{
			{"serve", "[FLOW…] [--config FILE] [--simulate | --simulator URL] [--listen ADDRESS] [--data DIR] [--database STRING]", "serve flows and the HTTP API until stopped", serve},
			{"config", "check FILE | show [FLAG…]", "check a configuration of serve, or show what serve would use and where it comes from", configCommand},
			{"simulate", "[--listen ADDRESS] [--json]", "run the simulated WhatsApp alone, for other hosts and clients, until stopped", simulate},
			{"nodes", "[--json] | lock | restart NAME", "list the node binaries that may run; lock accepts them as they are; restart starts one anew in a running server", nodesCommand},
			{"backup", "FILE [--data DIR]", "write the data directory into one archive, also while tapnode serve runs", backupData},
			{"restore", "FILE [--data DIR]", "make a data directory of an archive", restoreData},
		}},
		{"A running host: the one of --data, or with --url URL --token-file FILE one elsewhere", []command{
			{"instances", "list | create NAME | connect NAME [--number NUMBER] | reconnect NAME | logout NAME | delete NAME | move NAME HOST", "WhatsApp instances; connect shows the QR code to scan", instances},
			{"hosts", "[--json]", "the hosts that share the database, and how many instances each has", hosts},
			{"flows", "publish FILE… | list | show FLOW | diff FLOW [FROM [TO]] | retire FLOW | restore FLOW VERSION | export FLOW [VERSION]", "publish flows, and manage their versions", flows},
			{"runs", "list | show RUN | cancel RUN | retry RUN | resume RUN", "find, read and repair runs", runs},
			{"events", "[--follow] [--after ID] [--type TYPE]… [--instance NAME]… [--json]", "read what happened: clicks, messages, instances and runs", eventsCommand},
			{"webhooks", "list | add URL | show ID | set ID URL | remove ID | rotate ID | test ID | deliveries ID | dead ID [EVENT] | redeliver ID EVENT | drop ID EVENT | types", "tell other services of clicks, messages and runs", webhooks},
			{"deadletters", "list | show ID | resend ID | drop ID", "look after events that could not be delivered", deadLetters},
			{"call", "OPERATION [--input JSON] [--simulate]", "run one operation of a node; without a host one is started for it", call},
			{"signin", "[--scopes SCOPES] [--end] [--json]", "print a link that opens the page of the host of --data in a browser, once", signIn},
			{"tokens", "list | create | rotate ID | revoke ID", "make and end tokens for the HTTP API", tokensCommand},
			{"audit", "[--limit NUMBER] [--json]", "show who changed what", audit},
		}},
		{"Help", []command{
			{"version", "", "print the version", version},
			{"help", "[COMMAND]", "print this, or the flags of a command", help},
		}},
	}
}

func commands() (all []command) {
	for _, g := range groups() {
		all = append(all, g.commands...)
	}
	return all
}

// Main runs one command and returns its exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signals()
	defer stop()
	out := &output{w: stdout}
	said := lossy.New(stderr, func(lost int) []byte {
		return fmt.Appendf(nil, "tapnode: %d messages were lost: nobody read them in time\n", lost)
	})
	defer said.Close()
	c := console{out, said, isTerminal(stdout)}
	if len(args) == 0 {
		usage(c.err)
		return exitInvalid
	}
	err := dispatch(ctx, c, args[0], args[1:])
	if out.err != nil && (err == nil || errors.Is(err, out.err)) {
		err = environment(out.err)
	}
	return c.code(ctx, err)
}

func dispatch(ctx context.Context, c console, name string, args []string) error {
	if name == "-h" || name == "-help" || name == "--help" {
		name = "help"
	}
	var names []string
	for _, cmd := range commands() {
		if cmd.name == name {
			return cmd.run(ctx, c, args)
		}
		names = append(names, cmd.name)
	}
	return invalid("unknown command %.80q: %s", name, flow.DidYouMean(name, names))
}

// code reports an error and turns it into the exit code. It reports nothing if the reader of the
// output has gone, as in tapnode nodes | head -1.
func (c console) code(ctx context.Context, err error) int {
	var e *exit
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, syscall.EPIPE):
		return exitFailed
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(c.err, "tapnode: interrupted")
		return exitFailed
	case errors.As(err, &e):
		if e.err != nil {
			c.complain(e.err)
		}
		if ctx.Err() != nil {
			return exitFailed // the interrupt caused this, not the environment
		}
		return e.code
	default:
		c.complain(err)
		return exitFailed
	}
}

// complain reports an error, which may quote arguments and files.
func (c console) complain(err error) { fmt.Fprintln(c.err, "tapnode:", printable(err.Error())) }

// output remembers that the result could not be written, for example to a full disk, in which case
// the command has failed.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// heedless returns the console of a server, which outlives its terminal and whose stdout nobody has
// to read, and a function that closes it.
func (c console) heedless() (console, func()) {
	to := c.out
	if o, ok := to.(*output); ok {
		to = o.w // a failed write to it is no failure of the command
	}
	shown := lossy.New(to, nil)
	return console{shown, c.err, c.person}, shown.Close
}

// signals ends the context on the first SIGINT or SIGTERM and the process on the
// second.
func signals() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	// With SIGPIPE caught, a write to a pipe without a reader fails, instead of ending the process
	// and leaving its nodes and its temporary directory behind.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
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

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

// Many marks the flag as one that takes a list, for package config.
func (l *list) Many() bool { return true }

func version(_ context.Context, c console, args []string) error {
	if err := none(c, newFlags("version"), args); err != nil {
		return err
	}
	v := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	fmt.Fprintln(c.out, "tapnode", v)
	return nil
}
