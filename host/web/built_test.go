package web

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestBuilt builds the page from its sources and the lockfile, and checks that the result is identical,
// byte for byte, to the files committed in dist. It also runs the type check and the unit tests.
func TestBuilt(t *testing.T) {
	if !exists("node_modules/vite") || !onPath("node") {
		t.Skip("left out: there is no Node, or npm ci has not run in host/web")
	}
	run(t, 5*time.Minute, nil, "node_modules/.bin/svelte-check", "--tsconfig", "tsconfig.json", "--fail-on-warnings", "--incremental")
	run(t, 5*time.Minute, nil, "node_modules/.bin/vitest", "run")
	out := t.TempDir()
	run(t, 5*time.Minute, nil, "node_modules/.bin/vite", "build", "--logLevel", "error", "--outDir", out, "--emptyOutDir")
	run(t, 5*time.Minute, nil, "node_modules/.bin/vite", "build", "--logLevel", "error", "--config", "vite.embed.config.ts", "--outDir", filepath.Join(out, "embed"))
	made, kept := tree(t, os.DirFS(out)), tree(t, os.DirFS("dist"))
	for name, body := range made {
		if !bytes.Equal(body, kept[name]) {
			t.Errorf("dist/%s is not what the sources give: run make web and commit it", filepath.ToSlash(name))
		}
		delete(kept, name)
	}
	for name := range kept {
		t.Errorf("dist/%s is not made from the sources any more: run make web and commit that it is gone", name)
	}
}

func tree(t *testing.T, dir fs.FS) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := fs.WalkDir(dir, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files[name], err = fs.ReadFile(dir, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
