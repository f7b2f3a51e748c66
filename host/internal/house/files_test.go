package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

const maxFile = 25 << 10 // bytes; a file above it holds more than one idea

func TestFileSize(t *testing.T) {
	var sizes []int
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, ".pb.go") {
			continue
		}
		info, err := os.Stat(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > maxFile {
			t.Errorf("%s has %d bytes, more than %d: split it by idea", file, info.Size(), maxFile)
		}
		sizes = append(sizes, int(info.Size()))
	}
	sort.Ints(sizes)
	t.Logf("%d files, median %d bytes, largest %d", len(sizes), sizes[len(sizes)/2], sizes[len(sizes)-1])
}

// TestPackageComments wants exactly one package comment per package that starts
// with the package's name, so that a stranger can say what it promises.
func TestPackageComments(t *testing.T) {
	comments := map[string][]string{}
	names := map[string]string{}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, ".pb.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		dir := path.Dir(file)
		names[dir] = f.Name.Name
		if doc := packageDoc(f); doc != "" {
			comments[dir] = append(comments[dir], doc)
		}
	}
	for dir, name := range names {
		switch docs := comments[dir]; {
		case len(docs) != 1:
			t.Errorf("%s has %d package comments, want one", dir, len(docs))
		case name == "main" && !strings.HasPrefix(docs[0], "Command "):
			t.Errorf("%s: the comment of a command starts with \"Command \"", dir)
		case name != "main" && !strings.HasPrefix(docs[0], "Package "+name+" "):
			t.Errorf("%s: the package comment starts with \"Package %s \"", dir, name)
		}
	}
}

func packageDoc(f *ast.File) string {
	if f.Doc == nil {
		return ""
	}
	return f.Doc.Text()
}
