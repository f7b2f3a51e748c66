package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// awaited are exported names that nobody uses yet, with the reason.
var awaited = map[string]string{}

// byInterface are methods that packages outside the module call.
var byInterface = strings.Fields(`Error Unwrap Is As String Format GoString ServeHTTP Read Write Close Visit Len Less Swap
	MarshalJSON UnmarshalJSON MarshalText UnmarshalText LogValue Scan Value Load Enabled Handle WithAttrs WithGroup RoundTrip`)

// An export is an exported name of a package under an internal directory, with the
// names that its declaration mentions.
type export struct {
	at     token.Position
	of     string    // the type of a constant or of a method's receiver
	list   token.Pos // the declaration of a constant
	method bool
	shows  []string
}

// TestExports checks that an internal package exports a name only if another package
// uses it. Uses in tests of other packages count; the package's own tests do not: names
// that only they need belong in an export_test.go. A name also counts as used if a used
// name mentions it in a signature or a field. Constants of one type or of one
// declaration count together. Exported errors need no use, because callers may need
// them to distinguish failures. Methods are identified by their name only.
func TestExports(t *testing.T) {
	exports := map[string]map[string]*export{} // by package and name; a method is Type.Name
	uses := map[string]map[string]bool{}       // by package
	selected := map[string]map[string]bool{}   // packages that select a name from anything
	interfaces := map[string]bool{}            // methods of the module's interfaces
	fset := token.NewFileSet()
	for _, file := range goFiles(t) {
		f, err := parser.ParseFile(fset, filepath.Join(root, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		pkg := module + path.Dir(file)
		if strings.HasSuffix(file, "_test.go") || f.Name.Name == "main" ||
			!strings.Contains("/"+file, "/internal/") {
			noteUses(f, pkg, uses, selected)
			noteInterfaces(f, interfaces)
			continue
		}
		if exports[pkg] == nil {
			exports[pkg] = map[string]*export{}
		}
		noteExports(f, fset, exports[pkg])
		noteUses(f, pkg, uses, selected)
		noteInterfaces(f, interfaces)
	}
	for pkg, names := range exports {
		used := map[string]bool{}
		var use func(name string)
		use = func(name string) {
			e := names[name]
			if e == nil || used[name] {
				return
			}
			used[name] = true
			for _, n := range e.shows {
				use(n)
			}
			for n, other := range names { // its constants and methods
				if other.of != name && (other.list == 0 || other.list != e.list) {
					continue
				}
				_, method, _ := strings.Cut(n, ".")
				called := interfaces[method] || slices.Contains(byInterface, method)
				for from := range selected[method] {
					called = called || from != pkg
				}
				if !other.method || called {
					use(n)
				}
			}
		}
		for name := range uses[pkg] {
			use(name)
		}
		for name := range names {
			if strings.HasPrefix(name, "Err") || strings.HasSuffix(name, "Error") || awaited[path.Base(pkg)+"."+name] != "" {
				use(name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if !used[name] {
				t.Errorf("%s:%d: nobody outside the package uses %s", strings.TrimPrefix(names[name].at.Filename, root+"/"), names[name].at.Line, name)
			}
		}
	}
	if len(exports) == 0 {
		t.Fatal("there is no internal package: is root right?")
	}
}

func noteUses(f *ast.File, pkg string, uses, selected map[string]map[string]bool) {
	imports := map[string]string{}
	for _, spec := range f.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil || !strings.HasPrefix(imp, module) || imp == pkg {
			continue
		}
		name := path.Base(imp)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imports[name] = imp
	}
	note := func(m map[string]map[string]bool, key, name string) {
		if m[key] == nil {
			m[key] = map[string]bool{}
		}
		m[key][name] = true
	}
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		note(selected, s.Sel.Name, pkg)
		if x, ok := s.X.(*ast.Ident); ok && imports[x.Name] != "" {
			note(uses, imports[x.Name], s.Sel.Name)
		}
		return true
	})
}

func noteInterfaces(f *ast.File, interfaces map[string]bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		if i, ok := n.(*ast.InterfaceType); ok {
			for _, m := range i.Methods.List {
				for _, name := range m.Names {
					interfaces[name.Name] = true
				}
			}
		}
		return true
	})
}

func noteExports(f *ast.File, fset *token.FileSet, into map[string]*export) {
	add := func(id *ast.Ident, e export) {
		e.at = fset.Position(id.Pos())
		name := id.Name
		if e.method {
			name = e.of + "." + name
		}
		if id.IsExported() {
			into[name] = &e
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			e := export{shows: shown(d.Type)}
			if d.Recv != nil {
				e.method = true
				ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
					if id, ok := n.(*ast.Ident); ok && e.of == "" {
						e.of = id.Name
					}
					return true
				})
				if !ast.IsExported(e.of) {
					continue
				}
			}
			add(d.Name, e)
		case *ast.GenDecl:
			noteSpecs(d, add)
		}
	}
}

func noteSpecs(d *ast.GenDecl, add func(*ast.Ident, export)) {
	var of string // a constant without a type has the type of the previous one
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			add(s.Name, export{shows: shown(s.Type)})
		case *ast.ValueSpec:
			e := export{}
			if s.Type != nil {
				e.shows = shown(s.Type)
			}
			for _, v := range s.Values {
				if literal, ok := v.(*ast.CompositeLit); ok && literal.Type != nil {
					e.shows = append(e.shows, shown(literal.Type)...)
				}
			}
			if d.Tok == token.CONST {
				if id, ok := s.Type.(*ast.Ident); ok {
					of = id.Name
				} else if s.Type != nil || len(s.Values) > 0 {
					of = ""
				}
				e.of, e.list = of, d.Pos()
			}
			for _, id := range s.Names {
				add(id, e)
			}
		}
	}
}

// shown are the exported names of its own package that a type mentions, except in
// unexported fields.
func shown(t ast.Expr) []string {
	var out []string
	ast.Inspect(t, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr: // of another package
			return false
		case *ast.Field:
			if len(n.Names) > 0 && !slices.ContainsFunc(n.Names, (*ast.Ident).IsExported) {
				if _, fn := t.(*ast.FuncType); !fn {
					return false
				}
			}
		case *ast.Ident:
			if n.IsExported() {
				out = append(out, n.Name)
			}
		}
		return true
	})
	return out
}
