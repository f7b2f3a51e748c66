// Package config gives values to the flags of a command that its command line leaves out: from the
// environment, and from a file.
//
// What it guarantees:
//
//   - The command line wins over the environment, and that over the file. A list is taken whole
//     from the first that has it.
//   - A file is checked against schemas/tapnode.config.json before anything of it counts: everything
//     wrong is found, with its JSON Pointer.
//   - No error repeats a value: it may be a secret.
package config

import (
	"errors"
	"flag"
	"fmt"
	"strings"
)

// prefix begins the names of variables.
const prefix = "TAPNODE_"

// EnvName is the variable of a flag: TAPNODE_KEEP_RUNS is that of --keep-runs.
func EnvName(flag string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Member is the name of a flag in a file: keepRuns is that of --keep-runs.
func Member(flag string) string {
	words := strings.Split(flag, "-")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

// Setting is a flag with where its value comes from.
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

// Fill gives each flag that was not set a value of the environment or the file, and says where
// those of all come from. Flags with one letter are short forms, and left out.
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

// reason words why a flag does not take a value.
func reason(f *flag.Flag, err error) string {
	if b, ok := f.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
		return "want true or false"
	}
	return err.Error()
}

// Unknown are the variables of an environment that begin like ours and are no flag's.
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
