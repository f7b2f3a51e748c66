package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
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

// checkConfig checks a file by itself, without the environment and flags.
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
		fmt.Fprintf(c.err, "warning: %s is not a variable of serve: %s\n", printable(name), flow.DidYouMean(name, known))
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

// maxSettings bounds a file of settings or secrets, in bytes.
const maxSettings = 1 << 20

func readSettings(path string) (map[string]json.RawMessage, error) {
	settings := map[string]json.RawMessage{}
	err := readObject(path, &settings, "the settings of each node by its name")
	return settings, err
}

// secretName is the form of a name that a webhook may use: see schemas/webhook.filter.json.
var secretName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// readSecrets reads the secrets of the webhooks.
func readSecrets(path string) (map[string][]byte, error) {
	texts := map[string]string{}
	if err := readObject(path, &texts, "the text of each secret by its name"); err != nil {
		return nil, err
	}
	secrets := map[string][]byte{}
	for name, text := range texts {
		if !secretName.MatchString(name) || text == "" {
			return nil, invalid("%s: %.80q: a secret has a name of letters, digits and _, and a text", path, name)
		}
		secrets[name] = []byte(text)
	}
	return secrets, nil
}

// readObject reads a file with one JSON object; without a path it reads nothing.
func readObject(path string, into any, what string) error {
	if path == "" {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return &exit{exitInvalid, err}
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxSettings+1))
	if err != nil {
		return &exit{exitInvalid, err}
	}
	if len(raw) > maxSettings {
		return invalid("%s has more than %d bytes", path, maxSettings)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return invalid("%s: want a JSON object with %s: %w", path, what, err)
	}
	return nil
}
