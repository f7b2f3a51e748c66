package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/tapnode/tapnode/internal/sqldb"
)

const meta = "test_meta"

// schema creates two tables that have the same rows at every moment.
var schema = sqldb.Schema{Meta: meta, Files: fstest.MapFS{"1.sql": {Data: []byte("CREATE TABLE a (n BIGINT);\nCREATE TABLE b (n BIGINT);\n")}}}

func open(t *testing.T, dir, file string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Options{Dir: dir, File: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(t.Context(), schema, nil); err != nil {
		t.Fatal(err)
	}
	return db
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// data is a data directory whose databases are in use until the test ends.
func data(t *testing.T) (Source, []*sqldb.DB) {
	dir := filepath.Join(t.TempDir(), "data")
	dbs := []*sqldb.DB{open(t, dir, "engine.db"), open(t, filepath.Join(dir, "nodes/one/store"), "tapnode.db")}
	for name, text := range map[string]string{
		"tokens.json": "[]", "instance-tokens.key": "00", "world": "real\n", "nodes/one/media/cached": "picture", "nodes/two/note": "hi", "nodes/one/.lock": "", "bin/abc": "binary", "lock": "1",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	return Source{Dir: dir, Database: "engine.db", Meta: meta, Nodes: []Node{{Name: "one", Version: "1.0.0", SHA256: "00"}}}, dbs
}

func target(dir string) Target { return Target{Dir: dir, Database: "engine.db", Meta: meta, Schema: 1} }

// TestRoundTrip backs a directory up while its databases are written, and restores it.
func TestRoundTrip(t *testing.T) {
	src, dbs := data(t)
	ctx, stop := context.WithCancel(t.Context())
	var written atomic.Int64
	enough := make(chan struct{})
	ended := make(chan error, len(dbs))
	for _, db := range dbs {
		go func() {
			for n := 1; ctx.Err() == nil; n++ {
				err := db.WriteUnsynced(t.Context(), "write", func(tx *sqldb.Tx) error {
					_, err := tx.Exec(`INSERT INTO a (n) VALUES ($1)`, n)
					if err == nil {
						_, err = tx.Exec(`INSERT INTO b (n) VALUES ($1)`, n)
					}
					return err
				})
				if err != nil {
					ended <- err
					return
				}
				if written.Add(1) == 200 {
					close(enough)
				}
			}
			ended <- nil
		}()
	}
	<-enough
	archive := filepath.Join(t.TempDir(), "backup.tgz")
	m, err := Write(t.Context(), src, archive)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	for range dbs {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(archive); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the archive: %v %v", info, err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(archive), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	var names []string
	for _, f := range m.Files {
		names = append(names, f.Path)
	}
	if want := []string{"engine.db", "tokens.json", "instance-tokens.key", "world", "nodes/one/media/cached", "nodes/one/store/tapnode.db", "nodes/two/note"}; !slices.Equal(names, want) {
		t.Errorf("it holds %v, want %v", names, want)
	}
	if _, err := Write(t.Context(), src, archive); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("over an archive: %v", err)
	}

	dir := filepath.Join(t.TempDir(), "new", "data")
	if got, err := Restore(t.Context(), archive, target(dir)); err != nil || got.Schema != 1 || len(got.Nodes) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for _, at := range []string{"", "nodes/one/store"} {
		file := map[string]string{"": "engine.db"}[at]
		if file == "" {
			file = "tapnode.db"
		}
		var a, b, most int64
		if err := open(t, filepath.Join(dir, at), file).Row(t.Context(), `SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b), (SELECT max(n) FROM b)`, nil, &a, &b, &most); err != nil {
			t.Fatal(err)
		}
		if a == 0 || a != b || a != most {
			t.Errorf("%s is not of one moment: %d, %d, %d", file, a, b, most)
		}
	}
	if _, err := Restore(t.Context(), archive, target(dir)); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("over a data directory: %v", err)
	}
}

// TestBadArchives: whatever is wrong with an archive, nothing is restored from it.
func TestBadArchives(t *testing.T) {
	src, _ := data(t)
	archive := filepath.Join(t.TempDir(), "good.tgz")
	m, err := Write(t.Context(), src, archive)
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	packed := func(change func(*Manifest, map[string]string)) []byte {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		w := tar.NewWriter(z)
		m := m
		m.Files = []File{{Path: "world", Size: 5, SHA256: "8ac2f0c5c2e0a6c2d0a8ae2d0d0b7b8d8c8c2a6d5d1f9f8c4a9e0e1e8d4c5f5a"}}
		body := map[string]string{"world": "real\n"}
		change(&m, body)
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		put := func(name, text string) {
			if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o600}); err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(w, text)
		}
		put(manifestName, string(raw))
		for name, text := range body {
			put(name, text)
		}
		if err := errors.Join(w.Close(), z.Close()); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	cases := map[string][]byte{
		"empty": nil, "text": []byte("hello"), "cut": good[:len(good)-9], "half": good[:len(good)/2],
		"flipped":      slices.Concat(good[:len(good)/2], []byte{good[len(good)/2] ^ 1}, good[len(good)/2+1:]),
		"another sum":  packed(func(*Manifest, map[string]string) {}),
		"newer format": packed(func(m *Manifest, _ map[string]string) { m.Format = 2 }),
		"newer schema": packed(func(m *Manifest, _ map[string]string) { m.Schema = 9 }),
		"outside": packed(func(m *Manifest, b map[string]string) {
			m.Files[0].Path = "../world"
			b["../world"] = b["world"]
			delete(b, "world")
		}),
		"absolute": packed(func(m *Manifest, b map[string]string) {
			m.Files[0].Path = "/world"
			b["/world"] = b["world"]
			delete(b, "world")
		}),
		"missing":  packed(func(_ *Manifest, b map[string]string) { delete(b, "world") }),
		"one more": packed(func(m *Manifest, _ map[string]string) { m.Files = nil }),
	}
	for name, raw := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "archive")
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Restore(t.Context(), path, target(filepath.Join(dir, "data"))); !errors.Is(err, ErrArchive) {
				t.Errorf("got %v", err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
