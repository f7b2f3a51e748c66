package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
)

const maxFile = 25 << 10 // bytes; a larger file contains more than one idea

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

// TestPackageComments checks that each package has exactly one package comment, which
// starts with the package's name, so that a newcomer can see what the package promises.
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

// TestLinks checks that the target of every relative link in the documentation exists.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)`)
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	pages := 0
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == ".tmp" || d.Name() == "node_modules" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(p, ".md") {
			return nil
		}
		pages++
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllSubmatch(code.ReplaceAll(src, nil), -1) {
			target := string(m[1])
			if strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(p), target)); err != nil {
				t.Errorf("%s links to %s, which is not there", p, target)
			}
		}
		return nil
	})
	if err != nil || pages == 0 {
		t.Fatal(pages, err)
	}
}

// TestSeedPage checks docs/seed.md against the code: every row names a proof, and every
// test that it names exists.
func TestSeedPage(t *testing.T) { proved(t, "docs/seed.md", "# The seed", "## The error table", 30) }

// TestSeedClients does the same for the table of what clients of the seed's product do.
func TestSeedClients(t *testing.T) {
	proved(t, "docs/seed.md", "## What its clients do", "## What is not here", 25)
}

// TestProofs does the same for the promises of docs/operations.md.
func TestProofs(t *testing.T) {
	proved(t, "docs/operations.md", "## What holds when something fails", "## What a power cut", 12)
}

// proved checks the rows of the table between two headings of a page.
func proved(t *testing.T, name, from, to string, atLeast int) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	decl := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for _, file := range goFiles(t) {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		src, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range decl.FindAllStringSubmatch(string(src), -1) {
			known[m[1]] = true
		}
	}
	named := regexp.MustCompile("`(Test\\w+)`")
	_, table, _ := strings.Cut(string(page), from)
	table, _, _ = strings.Cut(table, to)
	_, table, _ = strings.Cut(table, "|---") // after the row of column names
	rows := 0
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		rows++
		tests := named.FindAllStringSubmatch(line, -1)
		if len(tests) == 0 {
			t.Errorf("no proof: %s", line)
		}
		for _, m := range tests {
			if !known[m[1]] {
				t.Errorf("%s does not exist: %s", m[1], line)
			}
		}
	}
	if rows < atLeast {
		t.Errorf("only %d rows: is the table still read?", rows)
	}
}
