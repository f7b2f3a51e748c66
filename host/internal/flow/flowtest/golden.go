package flowtest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the tests see into the golden files")

// Golden runs one test per file in testdata/dir. A file is a comment followed by parts, each of
// which begins with a line "-- name --"; the last part, want, is the result of see for the others.
// With the flag -update the files are written instead.
func Golden(t *testing.T, dir string, see func(t *testing.T, parts map[string]string) string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			given, _, ok := strings.Cut(string(src), "-- want --\n")
			if !ok {
				t.Fatalf("%s has no part want", file)
			}
			parts := map[string]string{}
			for _, p := range strings.Split(given, "\n-- ")[1:] {
				name, body, _ := strings.Cut(p, " --\n")
				parts[name] = body + "\n"
			}
			want := given + "-- want --\n" + see(t, parts)
			if *update {
				if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(src), want); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// Sources reads the flows of the files that match the patterns, as seeds for fuzz tests: whole
// files, or the part "flow" of golden files.
func Sources(t testing.TB, patterns ...string) [][]byte {
	t.Helper()
	var out [][]byte
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no flows in %s: %v", pattern, err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, after, ok := strings.Cut(string(src), "-- flow --\n"); ok {
				src = []byte(after[:strings.Index(after, "\n-- ")+1])
			}
			out = append(out, src)
		}
	}
	return out
}
