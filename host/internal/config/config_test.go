package config

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// names is a flag that may be given several times.
type names []string

func (n *names) String() string     { return strings.Join(*n, " ") }
func (n *names) Set(v string) error { *n = append(*n, v); return nil }
func (n *names) Many() bool         { return true }

func flags() (*flag.FlagSet, *names) {
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.String("listen", "127.0.0.1:8080", "")
	fs.Int("keep-runs", 5, "")
	fs.Bool("simulate", false, "")
	fs.Bool("v", false, "")
	hosts := new(names)
	fs.Var(hosts, "host", "")
	return fs, hosts
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, text string) File {
	t.Helper()
	f, findings, err := Read(file(t, text))
	if err != nil || len(findings) > 0 {
		t.Fatalf("%s: %v %v", text, findings, err)
	}
	return f
}

// TestWhoWins: the command line takes precedence, then the environment, then the file, then the
// default.
func TestWhoWins(t *testing.T) {
	environment := map[string]string{}
	lookup := func(name string) (string, bool) { v, ok := environment[name]; return v, ok }
	for _, c := range []struct {
		args             []string
		env, file        string
		listen, from     string
		hosts, hostsFrom string
	}{
		{nil, "", "", "127.0.0.1:8080", "default", "", "default"},
		{nil, "", "listen: :1\nhost: [a, b]", ":1", "config.yaml /listen", "a b", "config.yaml /host"},
		{nil, ":2", "listen: :1\nhost: [a, b]", ":2", "TAPNODE_LISTEN", "c d", "TAPNODE_HOST"},
		{[]string{"--listen", ":3", "--host", "e"}, ":2", "listen: :1\nhost: [a, b]", ":3", "command line", "e", "command line"},
		{[]string{"--listen", "127.0.0.1:8080"}, "", `{"listen": ":1", "host": []}`, "127.0.0.1:8080", "command line", "", "config.yaml /host"},
	} {
		fs, hosts := flags()
		if err := fs.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		clear(environment)
		environment["TAPNODE_LISTEN"] = c.env // an empty variable counts as unset
		if c.env != "" {
			environment["TAPNODE_HOST"] = "c,d"
		}
		settings, err := Fill(fs, read(t, c.file), lookup)
		if err != nil {
			t.Fatal(err)
		}
		from := func(name string) string {
			i := slices.IndexFunc(settings, func(s Setting) bool { return s.Flag.Name == name })
			_, base, found := strings.Cut(settings[i].Source, "config.yaml")
			if found {
				return "config.yaml" + base
			}
			return settings[i].Source
		}
		if got := fs.Lookup("listen").Value.String(); got != c.listen || from("listen") != c.from || hosts.String() != c.hosts || from("host") != c.hostsFrom {
			t.Errorf("%+v: %s from %s, %s from %s", c, got, from("listen"), hosts, from("host"))
		}
		if len(settings) != 4 {
			t.Errorf("%d settings: short forms are none", len(settings))
		}
	}
}

// TestWrongValues: an error says where a wrong value is, and does not repeat it.
func TestWrongValues(t *testing.T) {
	fs, _ := flags()
	_, err := Fill(fs, read(t, "keepRuns: 1000000000000000000000"), func(name string) (string, bool) {
		return "hush", name == "TAPNODE_SIMULATE"
	})
	if err == nil || !strings.Contains(err.Error(), "config.yaml /keepRuns: ") || !strings.Contains(err.Error(), "TAPNODE_SIMULATE: want true or false") || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v", err)
	}
	for text, want := range map[string]string{
		"listn: :1":                         `/listn`,
		"listen: 5":                         `/listen`,
		"listen: ''":                        `/listen`,
		"host: a":                           `/host`,
		"host: [a, 5]":                      `/host/1`,
		"keepRuns: 0":                       `/keepRuns`,
		"simulate: maybe":                   `/simulate`,
		"[listen]":                          ``,
		"listen: hush\nlisten: b":           ``,
		"listen: [hush":                     ``,
		"listen: :1\n---\nhost: []":         ``,
		"1: hush":                           ``,
		"listen: .nan":                      ``,
		strings.Repeat("#", maxFile) + "##": ``,
	} {
		f, findings, err := Read(file(t, text))
		if err != nil || len(findings) == 0 || findings[0].Pointer != want || f.values != nil {
			t.Errorf("%.40q: %+v %v", text, findings, err)
		}
		for _, x := range findings {
			if strings.Contains(x.Message, "hush") {
				t.Errorf("%q: a value is repeated: %s", text, x.Message)
			}
		}
	}
	for _, empty := range []string{"", "# nothing", "{}", "null"} {
		if f := read(t, empty); len(f.values) != 0 {
			t.Errorf("%q holds %v", empty, f.values)
		}
	}
	if _, _, err := Read("/nowhere/config.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestUnknown(t *testing.T) {
	fs, _ := flags()
	got := Unknown(fs, []string{"TAPNODE_LISTEN=1", "TAPNODE_LISTN=1", "TAPNODE_TOKEN=1", "HOME=/"}, "TAPNODE_TOKEN")
	if !slices.Equal(got, []string{"TAPNODE_LISTN"}) {
		t.Error(got)
	}
	if Member("account-token-file") != "accountTokenFile" || EnvName("keep-runs") != "TAPNODE_KEEP_RUNS" {
		t.Error("other names")
	}
}
