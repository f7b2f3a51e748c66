package flow_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/host/internal/flow"
)

var update = flag.Bool("update", false, "write what the tests see into the golden files")

// golden runs one test per file. A file is a comment and parts that begin with a
// line "-- name --"; the last, want, is what see makes of the others.
func golden(t *testing.T, dir string, see func(t *testing.T, parts map[string]string) string) {
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

func TestFindings(t *testing.T) {
	cat := catalogue(t)
	golden(t, "findings", func(t *testing.T, parts map[string]string) string {
		src := []byte(parts["flow"])
		p, findings, err := flow.Load(src, cat)
		var invalid *flow.InvalidError
		if err != nil && !errors.As(err, &invalid) {
			t.Fatalf("the error is no InvalidError: %v", err)
		}
		if invalid != nil {
			findings = invalid.Findings
		}
		if (p != nil) == flow.HasErrors(findings) {
			t.Error("a program comes exactly when there is no error")
		}
		var b strings.Builder
		for _, f := range findings {
			b.WriteString(f.Code + " " + f.String() + "\n")
		}
		if b.Len() == 0 {
			return "nothing\n"
		}
		return b.String()
	})
}
