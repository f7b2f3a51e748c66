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

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Target describes the data directory to create, and what this program can read.
type Target struct {
	// Dir must be empty or not exist.
	Dir string
	// Database and Meta are those of Source, and Schema the newest version this program knows.
	Database, Meta string
	Schema         int
}

// Restore creates a data directory from the archive at path. Errors about the archive are
// ErrArchive.
func Restore(ctx context.Context, path string, to Target) (m Manifest, err error) {
	if err := vacant(to.Dir); err != nil {
		return m, err
	}
	err = read(ctx, path, func(got Manifest) error {
		m = got
		return m.check(to)
	}, func(File, io.Reader) error { return nil })
	if err != nil {
		return m, err
	}
	dir, err := filepath.Abs(to.Dir)
	if err != nil {
		return m, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return m, err
	}
	stage, err := os.MkdirTemp(filepath.Dir(dir), ".tapnode-restore-*")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(stage)) }()
	err = read(ctx, path, func(again Manifest) error { return again.check(to) }, func(file File, r io.Reader) error {
		return unpack(filepath.Join(stage, filepath.FromSlash(file.Path)), r)
	})
	if err == nil {
		err = to.inspect(ctx, stage, m)
	}
	if err != nil {
		return m, err
	}
	// Rename replaces an empty directory, and fails on any other, in case one was filled meanwhile.
	if err := os.Rename(stage, dir); err != nil {
		return m, fmt.Errorf("%w; name a data directory that does not exist yet, below one that does", err)
	}
	return m, syncDir(filepath.Dir(dir))
}

// vacant refuses a directory that is not empty.
func vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty: restore into a directory of its own with --data", dir)
	}
	return nil
}

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrArchive, fmt.Errorf(format, args...))
}

// read reads the whole archive: the manifest, then each file it names, in its order, checking size
// and checksum. Nothing may follow.
func read(ctx context.Context, path string, manifest func(Manifest) error, each func(File, io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		return bad("%s is not a backup of tapnode: %w", path, err)
	}
	in := tar.NewReader(unpacked)
	head, err := in.Next()
	if err != nil || head.Name != manifestName || head.Size > maxManifest {
		return bad("%s does not begin with %s", path, manifestName)
	}
	var m Manifest
	if err := json.NewDecoder(io.LimitReader(in, maxManifest)).Decode(&m); err != nil {
		return bad("%s: %w", manifestName, err)
	}
	if err := manifest(m); err != nil {
		return err
	}
	for _, file := range m.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		head, err := in.Next()
		if err != nil {
			return bad("%s is missing: %w", file.Path, err)
		}
		if head.Name != file.Path || head.Typeflag != tar.TypeReg || head.Size != file.Size {
			return bad("%s stands where %s with %d bytes was expected", head.Name, file.Path, file.Size)
		}
		h := sha256.New()
		r := io.TeeReader(in, h)
		if err := each(file, r); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return bad("%s: %w", file.Path, err)
		}
		if hex.EncodeToString(h.Sum(nil)) != file.SHA256 {
			return bad("%s is damaged: its sum is another", file.Path)
		}
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) {
		return bad("something follows the last file")
	}
	if _, err := io.Copy(io.Discard, unpacked); err != nil { // checks gzip's own checksum
		return bad("its end is damaged: %w", err)
	}
	return nil
}

// check refuses an archive that this program cannot restore.
func (m Manifest) check(to Target) error {
	switch {
	case m.Format < 1:
		return bad("%s has no format", manifestName)
	case m.Format > format:
		return bad("it has format %d and this tapnode knows %d: use the newer tapnode", m.Format, format)
	case m.Schema > to.Schema:
		return bad("the database of its runs has schema version %d and this tapnode knows %d: use the newer tapnode", m.Schema, to.Schema)
	case len(m.Files) > maxFiles:
		return bad("it names more than %d files", maxFiles)
	}
	seen := map[string]bool{}
	for _, file := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(file.Path)) || file.Path != filepath.ToSlash(filepath.Clean(file.Path)) || seen[file.Path] || file.Size < 0 {
			return bad("%q is not the path of a file in a data directory", file.Path)
		}
		seen[file.Path] = true
	}
	return nil
}

func unpack(path string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close())
}

// inspect checks the databases themselves, and that the host's has the version that the manifest
// states.
func (t Target) inspect(ctx context.Context, stage string, m Manifest) error {
	for _, file := range m.Files {
		if filepath.Ext(file.Path) != ".db" {
			continue
		}
		version, err := sqldb.Inspect(ctx, filepath.Join(stage, filepath.FromSlash(file.Path)), t.Meta)
		if err != nil {
			return bad("%s: %w", file.Path, err)
		}
		if file.Path == t.Database && version != m.Schema {
			return bad("%s has schema version %d and not %d", file.Path, version, m.Schema)
		}
	}
	return nil
}
