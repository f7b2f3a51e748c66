package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSeedPage holds docs/seed.md to the code: every row names a proof, and every test
// it names exists.
func TestSeedPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/seed.md"))
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
	first, _, _ := strings.Cut(string(page), "## The error table")
	rows := 0
	for line := range strings.Lines(first) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| The page says") {
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
	if rows < 30 {
		t.Errorf("only %d rows: is the table still read?", rows)
	}
}
