package metrics

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// TestPage: docs/operations.md tells of each metric, and of no other.
func TestPage(t *testing.T) {
	names := func(pattern, like string) (list []string) {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(like).FindAllSubmatch(raw, -1) {
				list = append(list, regexp.MustCompile("_(bucket|count|sum)$").ReplaceAllString(string(m[1]), ""))
			}
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	code := names("[a-z]*.go", `"(tapnode_[a-z_]+)"`)
	page := names("../../../docs/operations.md", `\b(tapnode_[a-z_]+)`)
	if !slices.Equal(code, page) {
		t.Errorf("the code has %v\nthe page has %v", code, page)
	}
}
