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

// A rule forbids packages under a prefix in from to import packages that match forbid.
// It does not apply to packages under a prefix in except.
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
		from: []string{"internal/jsonstrict"}, forbid: []string{module}, tests: true,
		why: "the reader of JSON serves sdk, node, simulator and host alike: it knows no WhatsApp, no flows, nothing of this module",
	},
	{
		from: []string{""}, except: []string{"internal/jsonstrict", "host/internal/storedjson", "schemas"}, forbid: []string{"github.com/go-json-experiment/"}, tests: true,
		why: "there is one strict reader of JSON, internal/jsonstrict, and one for what we have stored, storedjson; when the toolchain has encoding/json/v2, only they change",
	},
	{
		from: []string{"internal"}, forbid: []string{module + "schemas", module + "sdk", module + "plugin", module + "host"}, tests: true,
		why: "internal/ is what plugin and host share: it knows neither WhatsApp nor flows",
	},
	{
		from: []string{"plugin", "host"}, except: []string{"plugin/wasim", "host/internal/bench"}, forbid: []string{"modernc.org/", "=github.com/jackc/pgx/v5", "github.com/jackc/pgx/v5/stdlib"},
		why: "databases are opened by internal/sqldb alone",
	},
	{
		from:   []string{"plugin/internal/store"},
		forbid: []string{module + "plugin/internal/node", module + "plugin/internal/send", module + "plugin/internal/receive", module + "plugin/internal/pool", module + "plugin/internal/problem", module + "sdk"},
		why:    "stores are below what uses them",
	},
	{
		from: []string{""}, except: []string{"host/internal/metrics"}, forbid: []string{"github.com/prometheus/"}, tests: false,
		why: "what is counted is decided in one place, and nothing else knows how it is shown",
	},
	{
		from: []string{""}, except: []string{"internal/tracing"}, forbid: []string{"go.opentelemetry.io/otel"},
		why: "spans are made in one place, so that nothing of a message comes into them by the way",
	},
	{
		from: []string{""}, except: []string{"host/internal/api/v1"}, forbid: []string{"github.com/danielgtaylor/huma"}, tests: true,
		why: "one package knows what describes /v1, so that it can be had from elsewhere",
	},
	{
		from: []string{""}, except: []string{"host/internal/mcp"}, forbid: []string{"github.com/modelcontextprotocol/"},
		why: "one package knows the protocol of assistants; to the rest a tool is a request",
	},
	{
		from: []string{"host/internal/mcp"}, forbid: []string{module + "host/internal/seed", module + "host/internal/engine", module + "host/internal/app"},
		why: "a tool does what a request of the API does, and knows no other way to it",
	},
	{
		from: []string{"host"}, except: []string{"host/internal/cli"}, forbid: []string{module + "host/internal/metrics", module + "host/internal/backup"},
		why: "only the command puts measuring, and copies, beside what does the work",
	},
	{
		from: []string{"plugin/internal/store"}, except: []string{"plugin/internal/store/session"}, forbid: []string{"=go.mau.fi/whatsmeow", "go.mau.fi/whatsmeow/store"},
		why: "only the session store knows whatsmeow's stores",
	},
	{
		from:   []string{"plugin/internal/store/outbox", "plugin/internal/store/menus", "plugin/internal/store/registry", "plugin/internal/store/inbox", "plugin/internal/store/cache", "plugin/internal/store/session"},
		forbid: []string{module + "plugin/internal/store"},
		why:    "a concept knows no other: only the ledger stores a menu with its intent, and an event with its change",
	},
	{
		from: []string{"plugin/internal/store/ledger"}, forbid: []string{"=" + module + "plugin/internal/store"},
		why: "the ledger knows menus and events, and not who opens it",
	},
	{
		from:   []string{"plugin/internal/pool", "plugin/internal/media", "plugin/internal/receive", "plugin/internal/problem"},
		forbid: []string{module + "plugin/internal/node", module + "plugin/internal/send"},
		why:    "the way of a message leads down: node, send and receive, pool and media, store",
	},
	{
		from: []string{"plugin/internal/send", "plugin/internal/receive"}, forbid: []string{module + "plugin/internal/node"},
		why: "the operations are adapters: nothing below them knows them",
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
		from: []string{""}, except: []string{"sdk", "host/internal/process", "examples/hosts"}, forbid: []string{"github.com/hashicorp/go-plugin", "github.com/hashicorp/go-hclog"}, tests: true,
		why: "go-plugin is imported only by sdk (serving), sdk/client (which makes a plain go-plugin host out of three lines), examples/hosts (which is one) and host/internal/process (our own way to start a node)",
	},
	{
		from: []string{"examples"}, forbid: []string{module + "internal", module + "host", module + "plugin/internal"}, tests: true,
		why: "the examples are programs of third parties, in one module with us for their tests' sake: they use only what is public",
	},
	{
		from:   []string{"plugin/internal/buttons", "plugin/internal/recipient", "plugin/internal/clicks", "internal/typed"},
		forbid: []string{"net", "net/http", "os", "os/exec", "database/sql", "modernc.org/", module + "plugin/internal/store", module + "plugin/internal/pool"},
		why:    "PURE packages do no I/O: they are table-tested and fuzzed",
	},
	{
		from:   []string{"plugin/internal/buttons", "plugin/internal/recipient", "plugin/internal/clicks", "internal/typed"},
		forbid: []string{"=go.mau.fi/whatsmeow", "go.mau.fi/whatsmeow/store", "go.mau.fi/whatsmeow/socket"},
		why:    "PURE packages may know WhatsApp's message types, never its client",
	},
	{
		from:   []string{"host/internal/flow"},
		forbid: []string{"net", "net/http", "os", "os/exec", "database/sql", "log/slog", module + "host/internal/engine", module + "sdk/client"},
		except: []string{"host/internal/flow/flowtest"},
		why:    "flow and flow/run are PURE: a file in, a program out; state and event in, state and effects out",
	},
	{
		from: []string{"host/internal/flow"}, except: []string{"host/internal/flow/run"}, forbid: []string{"=" + module + "host/internal/flow/run"}, tests: true,
		why: "a program does not know who interprets it: the arrow goes from flow/run to flow",
	},
	{
		from: []string{"host/internal/flow"}, except: []string{"host/internal/flow/flowtest"}, forbid: []string{module + "host/internal/flow/flowtest", module + "host/internal/nodes"},
		why: "flowtest, and the built-in nodes it brings, are for tests",
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
				if r.broken(path.Dir(file), imp) {
					t.Errorf("%s imports %s: %s", file, imp, r.why)
				}
			}
		}
	}
}

// broken reports whether the rule forbids a package in dir to import imp. A wide pattern,
// such as the whole module, does not forbid imports within the tree that the rule is
// about.
func (r rule) broken(dir, imp string) bool {
	for _, f := range r.forbid {
		if !matches(imp, f) {
			continue
		}
		inside := false
		for _, from := range r.from {
			inside = inside || from != "" && under(dir, []string{from}) && under(imp, []string{module + from}) && !under(strings.TrimPrefix(f, "="), []string{module + from})
		}
		if !inside {
			return true
		}
	}
	return false
}

// matches treats a pattern that ends in "/" or has a dot, as module paths do, as a
// prefix, and any other as a whole import path. A pattern that begins with "=" is always
// a whole import path.
func matches(imp, pattern string) bool {
	switch {
	case strings.HasPrefix(pattern, "="):
		return imp == pattern[1:]
	case strings.HasSuffix(pattern, "/"):
		return strings.HasPrefix(imp, pattern)
	default:
		return imp == pattern || strings.HasPrefix(imp, pattern+"/") && strings.Contains(pattern, ".")
	}
}

func under(dir string, prefixes []string) bool {
	for _, p := range prefixes {
		if p == "" || dir == p || strings.HasPrefix(dir, p+"/") {
			return true
		}
	}
	return false
}

// TestRules checks with examples how rules are interpreted.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		rule     rule
		dir, imp string
		broken   bool
	}{
		{rule{from: []string{"schemas"}, forbid: []string{module}}, "schemas", module + "sdk", true},
		{rule{from: []string{"schemas"}, forbid: []string{module}}, "schemas", module + "schemas/x", false},
		{rule{from: []string{"plugin"}, forbid: []string{module + "plugin/wasim"}}, "plugin/internal/pool", module + "plugin/wasim/bare", true},
		{rule{from: []string{"host/flow"}, forbid: []string{"=" + module + "host/flow/run"}}, "host/flow", module + "host/flow/run", true},
		{rule{from: []string{"host/flow"}, forbid: []string{"os"}}, "host/flow", "os/exec", false},
		{rule{from: []string{""}, forbid: []string{"go.mau.fi/"}}, "sdk", "go.mau.fi/whatsmeow", true},
	} {
		if got := c.rule.broken(c.dir, c.imp); got != c.broken {
			t.Errorf("%s imports %s: broken is %v, want %v", c.dir, c.imp, got, c.broken)
		}
	}
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
