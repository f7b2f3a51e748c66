package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/tapnode/tapnode/host/internal/flow"
)

// newFlags is the flag set of a command. In a flag's usage the name of its value is
// in backquotes.
func newFlags(command string) *flag.FlagSet {
	fs := flag.NewFlagSet(command, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // parse says what is wrong, in one line
	return fs
}

// parse reads flags that may stand before, between and after the positional
// arguments. -h prints the command's help on stdout.
func parse(c console, fs *flag.FlagSet, args []string) ([]string, error) {
	var positional []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				commandUsage(c.out, fs)
				return nil, err
			}
			return nil, invalid("%s (see tapnode %s -h)", explain(fs, err), fs.Name())
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

// none is parse for commands without positional arguments.
func none(c console, fs *flag.FlagSet, args []string) error {
	rest, err := parse(c, fs, args)
	if err == nil && len(rest) > 0 {
		return invalid("unexpected argument %.80q (see tapnode %s -h)", rest[0], fs.Name())
	}
	return err
}

// oneFile is parse for commands with the path of one file and nothing else.
func oneFile(c console, fs *flag.FlagSet, args []string) (string, error) {
	rest, err := parse(c, fs, args)
	if err == nil && len(rest) != 1 {
		err = invalid("name one file (see tapnode %s -h)", fs.Name())
	}
	if err != nil {
		return "", err
	}
	return rest[0], nil
}

// explain rewords an error of package flag, which writes flags with one dash.
func explain(fs *flag.FlagSet, err error) string {
	said := err.Error()
	if name, ok := strings.CutPrefix(said, "flag provided but not defined: -"); ok {
		var known []string
		fs.VisitAll(func(f *flag.Flag) { known = append(known, "--"+f.Name) })
		return fmt.Sprintf("unknown flag --%.80s: %s", name, flow.DidYouMean("--"+name, known))
	}
	if name, ok := strings.CutPrefix(said, "flag needs an argument: -"); ok {
		return "--" + name + " needs a value"
	}
	return said
}

// usage lists the commands.
func usage(w io.Writer) {
	fmt.Fprint(w, "tapnode runs flows whose steps are node binaries.\n\n")
	for _, g := range groups() {
		fmt.Fprintf(w, "%s\n\n", g.title)
		for _, cmd := range g.commands {
			fmt.Fprintln(w, strings.TrimRight("  tapnode "+cmd.name+" "+cmd.args, " "))
			fmt.Fprintf(w, "        %s\n", cmd.help)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "Exit codes: 0 ok, 1 failed at run time, 2 invalid input, 3 environment.\n")
}

func help(ctx context.Context, c console, args []string) error {
	if len(args) == 0 || args[0] == "help" {
		usage(c.out)
		return nil
	}
	return dispatch(ctx, c, args[0], []string{"-h"})
}

// commandUsage prints the usage of one command.
func commandUsage(w io.Writer, fs *flag.FlagSet) {
	for _, cmd := range commands() {
		if cmd.name == fs.Name() {
			fmt.Fprintln(w, strings.TrimRight("Usage: tapnode "+cmd.name+" "+cmd.args, " "))
			fmt.Fprintf(w, "\n%s%s.\n", strings.ToUpper(cmd.help[:1]), cmd.help[1:])
		}
	}
	table := tabwriter.NewWriter(w, 0, 4, 3, ' ', 0)
	before := "\n"
	fs.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(table, "%s  %s\t%s\n", before, strings.TrimRight("--"+f.Name+" "+value, " "), text)
		before = ""
	})
	_ = table.Flush() // the console's writer keeps the error
}
