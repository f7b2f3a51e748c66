package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// LockName is the usual name of a lock file.
const LockName = "nodes.lock"

const (
	lockVersion = 1
	maxLockfile = 1 << 20
	maxNodes    = 1000
)

// Entry is one binary that may run.
type Entry struct {
	Name     string `json:"name"`     // of the node, from its manifest
	Path     string `json:"path"`     // of the binary; absolute once loaded
	Version  string `json:"version"`  // of the node, from its manifest; for people
	Size     int64  `json:"size"`     // bytes
	SHA256   string `json:"sha256"`   // of the binary, 64 hex digits
	Manifest string `json:"manifest"` // manifestDigest, 64 hex digits
}

// Lockfile is the contents of nodes.lock.
type Lockfile struct {
	Version int     `json:"version"` // 1
	Nodes   []Entry `json:"nodes"`
}

// Load reads a lock file of at most 1 MiB. Relative paths in it are relative to its directory. An
// error for an invalid file names every mistake with its JSON Pointer.
func Load(path string) (Lockfile, error) {
	f, err := os.Open(path) //nolint:gosec // the operator's own file
	if err != nil {
		return Lockfile{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLockfile+1))
	if err != nil {
		return Lockfile{}, err
	}
	lock, err := parse(data)
	if err != nil {
		return Lockfile{}, fmt.Errorf("%s: %w", path, err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return Lockfile{}, err
	}
	for i, e := range lock.Nodes {
		if !filepath.IsAbs(e.Path) {
			lock.Nodes[i].Path = filepath.Join(dir, e.Path)
		}
	}
	return lock, nil
}

// Save replaces a lock file atomically. Paths below its directory become relative, so that the tree
// can be moved.
func (l Lockfile) Save(path string) error {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return err
	}
	out := Lockfile{Version: lockVersion, Nodes: make([]Entry, len(l.Nodes))}
	for i, e := range l.Nodes {
		if rel, err := filepath.Rel(dir, e.Path); err == nil && filepath.IsLocal(rel) {
			e.Path = filepath.ToSlash(rel)
		}
		out.Nodes[i] = e
	}
	data, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	if _, err := parse(data); err != nil {
		return fmt.Errorf("not saved: %w", err)
	}
	return replace(path, append(data, '\n'))
}

// replace replaces a file atomically.
func replace(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// Find returns the entry of a name.
func (l Lockfile) Find(name string) (Entry, bool) {
	for _, e := range l.Nodes {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// checkName accepts only names that can be used in paths, URLs and logs.
func checkName(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-_."
	if name == "" || len(name) > 64 || strings.Trim(name, allowed) != "" || name[0] == '.' {
		return fmt.Errorf("%.80q is not a node's name: 1 to 64 of a-z 0-9 - _ and ., not beginning with one", name)
	}
	return nil
}

// Discover lists the executable files of a directory, such as bin/nodes, in the order of their
// names. The list is empty if the directory does not exist.
func Discover(dir string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []string
	for _, f := range files {
		if strings.HasPrefix(f.Name(), ".") {
			continue
		}
		path := filepath.Join(dir, f.Name())
		info, err := os.Stat(path) // follows links
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			continue
		}
		if len(found) == maxNodes {
			return nil, fmt.Errorf("%s has more than %d executables", dir, maxNodes)
		}
		found = append(found, path)
	}
	return found, nil
}
