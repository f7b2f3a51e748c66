package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Source is a data directory to write into an archive.
type Source struct {
	Dir string
	// Database is the name of the host's SQLite file in Dir, which may be missing, and Meta
	// its table with the version of its tables.
	Database, Meta string
	Nodes          []Node
}

// own are the host's files beside its database; one that is missing is left out.
var own = []string{"tokens.json", "instance-tokens.key", "world"}

// nodesDir holds a directory of each node.
const nodesDir = "nodes"

// Write makes the archive at path, which must not exist.
func Write(ctx context.Context, src Source, path string) (m Manifest, err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return m, errors.Join(fmt.Errorf("%s is there already: name a file that is not", path), err)
	}
	// In the archive's directory, since the disk of the data directory may be the one that is full.
	stage, err := os.MkdirTemp(filepath.Dir(path), ".tapnode-backup-*")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(stage)) }()
	m = Manifest{Format: format, Made: time.Now().UTC().Truncate(time.Second), Nodes: src.Nodes, Files: []File{}}
	w := &writer{ctx: ctx, dir: src.Dir, stage: filepath.Join(stage, "data"), manifest: &m}
	if err := w.gather(src); err != nil {
		return m, err
	}
	if len(m.Files) == 0 {
		return m, fmt.Errorf("%s holds nothing to back up: name the data directory of a host with --data", src.Dir)
	}
	part := filepath.Join(stage, "archive")
	if err := w.archive(part); err != nil {
		return m, err
	}
	// Link, because Rename would replace a file created in the meantime.
	if err := os.Link(part, path); err != nil {
		return m, err
	}
	return m, syncDir(filepath.Dir(path))
}

// writer copies the files of a data directory into stage and records their checksums.
type writer struct {
	ctx        context.Context
	dir, stage string
	manifest   *Manifest
}

func (w *writer) gather(src Source) error {
	err := w.add(src.Database)
	if err == nil {
		w.manifest.Schema, err = sqldb.Inspect(w.ctx, filepath.Join(w.stage, src.Database), src.Meta)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range own {
		if err := w.add(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	err = filepath.WalkDir(filepath.Join(w.dir, nodesDir), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // no node has run, or a node removed one of its files
			return nil
		}
		if err != nil || d.IsDir() || !d.Type().IsRegular() || passing(d.Name()) {
			return err
		}
		if len(w.manifest.Files) >= maxFiles {
			return fmt.Errorf("%s holds more than %d files", w.dir, maxFiles)
		}
		name, err := filepath.Rel(w.dir, path)
		if err == nil {
			err = w.add(name)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return err
}

// passing says whether a file is of use only to the process that has it open.
func passing(name string) bool {
	return slices.ContainsFunc([]string{"-wal", "-shm", "-journal", ".lock"}, func(end string) bool { return strings.HasSuffix(name, end) })
}

// add copies one file of the data directory.
func (w *writer) add(name string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	from, to := filepath.Join(w.dir, name), filepath.Join(w.stage, name)
	if _, err := os.Stat(from); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	copyFile := copyPlain
	if strings.HasSuffix(name, ".db") {
		copyFile = func(from, to string) error { return sqldb.Snapshot(w.ctx, from, to) }
	}
	if err := copyFile(from, to); err != nil {
		return err
	}
	size, sum, err := digest(to)
	if err == nil {
		w.manifest.Files = append(w.manifest.Files, File{Path: filepath.ToSlash(name), Size: size, SHA256: sum})
	}
	return err
}

func copyPlain(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func digest(path string) (size int64, sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return size, hex.EncodeToString(h.Sum(nil)), err
}

// archive writes the gathered files into one archive, the manifest first.
func (w *writer) archive(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	packed := gzip.NewWriter(f)
	out := tar.NewWriter(packed)
	raw, err := json.MarshalIndent(w.manifest, "", "  ")
	if err == nil {
		err = out.WriteHeader(&tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(raw)), ModTime: w.manifest.Made})
	}
	if err == nil {
		_, err = out.Write(raw)
	}
	for _, file := range w.manifest.Files {
		if err == nil {
			err = w.ctx.Err()
		}
		if err == nil {
			err = w.put(out, file)
		}
	}
	return errors.Join(err, out.Close(), packed.Close(), f.Sync())
}

func (w *writer) put(out *tar.Writer, file File) error {
	in, err := os.Open(filepath.Join(w.stage, filepath.FromSlash(file.Path)))
	if err != nil {
		return err
	}
	defer in.Close()
	if err := out.WriteHeader(&tar.Header{Name: file.Path, Mode: 0o600, Size: file.Size, ModTime: w.manifest.Made}); err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
