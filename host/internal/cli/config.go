package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/tapnode/tapnode/host/internal/config"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// configCommand checks and shows the configuration of serve.
func configCommand(ctx context.Context, c console, args []string) error {
	return subcommand(ctx, c, "config", args, map[string]func(context.Context, console, *flag.FlagSet, []string) error{
		"check": checkConfig, "show": showConfig,
	})
}

// checkConfig checks a file alone: neither the environment nor flags count.
func checkConfig(_ context.Context, c console, fs *flag.FlagSet, args []string) error {
	path, err := oneFile(c, fs, args)
	if err != nil {
		return err
	}
	f := newServeFlags("config")
	file, err := f.file(c, path)
	if err == nil {
		_, err = config.Fill(f.set, file, func(string) (string, bool) { return "", false })
	}
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return &exit{exitInvalid, err}
	}
	_, err = fmt.Fprintf(c.out, "%s is good\n", printable(path))
	return err
}

// shownSetting is a flag with its value, if that is no secret.
type shownSetting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

// showConfig shows what serve would use with the same flags, in the same environment.
func showConfig(_ context.Context, c console, _ *flag.FlagSet, args []string) error {
	f := newServeFlags("config")
	paths, settings, err := f.read(c, args)
	if err != nil {
		return err
	}
	for _, name := range config.Unknown(f.set, os.Environ(), accountTokenEnv, tokenEnv) {
		var known []string
		for _, s := range settings {
			known = append(known, config.EnvName(s.Flag.Name))
		}
		fmt.Fprintf(c.err, "warning: %s is no variable of serve: %s\n", printable(name), flow.DidYouMean(name, known))
	}
	var shown []shownSetting
	for _, s := range settings {
		value := s.Flag.Value.String()
		if s.Flag.Name == "database" && hasPassword(value) {
			value = "(it has a password in it)"
		}
		if s.Flag.Name == "flows" && !slices.Equal(paths, f.flows) {
			arguments := list(paths)
			value, s.Source = arguments.String(), "command line"
		}
		shown = append(shown, shownSetting{s.Flag.Name, value, s.Source})
	}
	if *f.json {
		err = printJSON(c.out, map[string]any{"settings": shown})
	} else {
		w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "FLAG\tVALUE\tFROM")
		for _, s := range shown {
			fmt.Fprintf(w, "--%s\t%s\t%s\n", s.Name, printable(orDash(s.Value)), printable(s.Source))
		}
		err = w.Flush()
	}
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return &exit{exitInvalid, errors.Join(errors.New("serve would not start with this"), err)}
	}
	return nil
}
