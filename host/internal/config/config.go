// Package config fills in the flags of a command that its command line leaves out: from the
// environment, and from a file.
//
// What it guarantees:
//
//   - The command line takes precedence over the environment, and the environment over the file. A
//     list is taken whole from the first of them that has it.
//   - A file is checked against schemas/tapnode.config.json before any of it is used. All errors
//     are reported, each with its JSON Pointer.
//   - No error contains a value, which may be a secret.
package config

import (
	"errors"
	"flag"
	"fmt"
	"strings"
)

// prefix is the prefix of the names of our environment variables.
const prefix = "TAPNODE_"

// EnvName returns the environment variable of a flag: TAPNODE_KEEP_RUNS for --keep-runs.
func EnvName(flag string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Member returns the name of a flag in a file: keepRuns for --keep-runs.
func Member(flag string) string {
	words := strings.Split(flag, "-")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

// Setting is a flag and the source of its value.
type Setting struct {
	Flag   *flag.Flag
	Source string
}

// many is a flag that may be given several times.
type many interface{ Many() bool }

// isMany says whether a flag takes a list.
func isMany(f *flag.Flag) bool {
	m, ok := f.Value.(many)
	return ok && m.Many()
}

// Fill sets each flag that is not set yet from the environment or the file, and returns the source
// of every flag's value. Flags with one letter are short forms, and are skipped.
func Fill(fs *flag.FlagSet, file File, environment func(string) (string, bool)) ([]Setting, error) {
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var settings []Setting
	var errs []error
	fs.VisitAll(func(f *flag.Flag) {
		if len(f.Name) == 1 {
			return
		}
		source, values := "default", []string(nil)
		fromFile, inFile := file.values[Member(f.Name)]
		value, inEnvironment := environment(EnvName(f.Name))
		switch {
		case given[f.Name]:
			source = "command line"
		case inEnvironment && value != "":
			source, values = EnvName(f.Name), []string{value}
			if isMany(f) {
				values = strings.Split(value, ",")
			}
		case inFile:
			source, values = file.path+" /"+Member(f.Name), fromFile
		}
		settings = append(settings, Setting{f, source})
		for _, v := range values {
			if err := fs.Set(f.Name, v); err != nil {
				errs = append(errs, fmt.Errorf("%s: %s", source, reason(f, err)))
				return
			}
		}
	})
	return settings, errors.Join(errs...)
}

// reason says why a flag does not accept a value.
func reason(f *flag.Flag, err error) string {
	if b, ok := f.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
		return "want true or false"
	}
	return err.Error()
}

// Unknown returns the variables of an environment that have our prefix but belong neither to a flag
// nor to others.
func Unknown(fs *flag.FlagSet, environ []string, others ...string) []string {
	known := map[string]bool{}
	for _, name := range others {
		known[name] = true
	}
	fs.VisitAll(func(f *flag.Flag) { known[EnvName(f.Name)] = true })
	var unknown []string
	for _, v := range environ {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, prefix) && !known[name] {
			unknown = append(unknown, name)
		}
	}
	return unknown
}
