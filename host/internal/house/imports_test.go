package house

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tapnode/tapnode/"

// root is the repository, seen from this package.
const root = "../../.."

// A rule forbids imports with one of the prefixes to every package under one of
// from, except under one of the except prefixes.
type rule struct {
	from, except, forbid []string
	tests                bool // the rule holds for test files too
	why                  string
}

var rules = []rule{
	{
		from: []string{"schemas"}, forbid: []string{module}, tests: true,
		why: "schemas are the product's forms: they know nothing of the code",
	},
	{
		from: []string{"internal/netguard"}, forbid: []string{module}, tests: true,
		why: "the guard of outgoing addresses is trusted by plugin and host alike: it knows neither, nor anything between them",
	},
	{
		from: []string{""}, except: []string{"internal/netguard"}, forbid: []string{"code.dny.dev/"}, tests: true,
		why: "which address is public is decided in one place",
	},
	{
		from: []string{"sdk"}, forbid: []string{module + "plugin", module + "host"}, tests: true,
		why: "the sdk is what third parties import: it knows neither our node nor our host",
	},
	{
		from: []string{"plugin"}, forbid: []string{module + "host"}, tests: true,
		why: "plugin and host meet only over gRPC",
	},
	{
		from: []string{"host"}, except: []string{"host/internal/bench"}, forbid: []string{module + "plugin/internal", module + "sdk/nodepb"}, tests: true,
		why: "plugin and host meet only over gRPC; plugin/wasim is the one exception, for --simulate",
	},
	{
		from: []string{""}, except: []string{"sdk"}, forbid: []string{module + "sdk/nodepb"}, tests: true,
		why: "the wire types stay behind sdk and sdk/client, so that they can change without their users",
	},
	{
		from: []string{"plugin"}, except: []string{"plugin/wasim"}, forbid: []string{module + "plugin/wasim"},
		why: "the shipped node must not contain the simulator",
	},
	{
		from: []string{"plugin/wasim"}, forbid: []string{module + "plugin/internal", module + "sdk"}, tests: true,
		why: "wasim is a public package that stands on its own",
	},
	{
		from: []string{""}, except: []string{"plugin"}, forbid: []string{"go.mau.fi/"}, tests: true,
		why: "whatsmeow is imported only under plugin/",
	},
	{
		from: []string{""}, except: []string{"sdk", "host/internal/process"}, forbid: []string{"github.com/hashicorp/go-plugin", "github.com/hashicorp/go-hclog"}, tests: true,
		why: "go-plugin is imported only by sdk (serving) and host/internal/process (starting)",
	},
	{
		from:   []string{"plugin/internal/buttons", "plugin/internal/recipient", "plugin/internal/clicks"},
		forbid: []string{"net", "net/http", "os", "os/exec", "database/sql", "modernc.org/", module + "plugin/internal/store", module + "plugin/internal/pool"},
		why:    "PURE packages do no I/O: they are table-tested and fuzzed",
	},
	{
		from:   []string{"plugin/internal/buttons", "plugin/internal/recipient", "plugin/internal/clicks"},
		forbid: []string{"=go.mau.fi/whatsmeow", "go.mau.fi/whatsmeow/store", "go.mau.fi/whatsmeow/socket"},
		why:    "PURE packages may know WhatsApp's message types, never its client",
	},
	{
		from:   []string{"host/internal/flow"},
		forbid: []string{"net", "net/http", "os", "os/exec", "database/sql", "log/slog", module + "host/internal/engine", module + "sdk/client"},
		why:    "the flow package is PURE: state and event in, state and effects out",
	},
}

func TestImportDirection(t *testing.T) {
	for file, imports := range importsByFile(t) {
		for _, r := range rules {
			if !under(path.Dir(file), r.from) || under(path.Dir(file), r.except) && len(r.except) > 0 {
				continue
			}
			if strings.HasSuffix(file, "_test.go") && !r.tests {
				continue
			}
			for _, imp := range imports {
				if forbidden(imp, r.forbid) && !sameTree(file, imp, r) {
					t.Errorf("%s imports %s: %s", file, imp, r.why)
				}
			}
		}
	}
}

// sameTree lets a package import its own sub-packages when its tree is what the
// rule forbids to others.
func sameTree(file, imp string, r rule) bool {
	for _, from := range r.from {
		if from != "" && strings.HasPrefix(imp, module+from) && strings.HasPrefix(file, from) {
			return true
		}
	}
	return false
}

// forbidden matches prefixes ending in "/" or being a module path as prefixes,
// and anything else as a whole import path.
func forbidden(imp string, list []string) bool {
	for _, f := range list {
		switch {
		case strings.HasPrefix(f, "="):
			if imp == f[1:] {
				return true
			}
		case strings.HasSuffix(f, "/"):
			if strings.HasPrefix(imp, f) {
				return true
			}
		case imp == f || strings.HasPrefix(imp, f+"/") && strings.Contains(f, "."):
			return true
		}
	}
	return false
}

func under(dir string, prefixes []string) bool {
	for _, p := range prefixes {
		if p == "" || dir == p || strings.HasPrefix(dir, p+"/") {
			return true
		}
	}
	return false
}

func importsByFile(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, file := range goFiles(t) {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			out[file] = append(out[file], imp)
		}
	}
	return out
}

// goFiles lists the Go files of the repository, relative to its root.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		if d.IsDir() && rel != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin" || d.Name() == "node_modules" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(p, ".go") {
			files = append(files, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no Go files found: is root right?")
	}
	return files
}
