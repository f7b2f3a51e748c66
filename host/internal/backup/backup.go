// Package backup writes a data directory into one archive while its host and nodes run, and
// restores a data directory from an archive.
//
// What it guarantees:
//
//   - Each SQLite file (*.db) in the archive is a snapshot of one moment. The host's is taken
//     before the nodes', so that a node's store is never older than the runs: events that the host
//     has acknowledged since are read again from the node, and calls that it has sent since are
//     answered from the node's ledger.
//   - An archive is complete or does not exist: it is written elsewhere in the same directory,
//     synced, and linked to its path. Only its owner can read it, since it contains sessions and
//     tokens.
//   - Restore reads the whole archive and checks every byte of it before it writes anything, and
//     leaves a complete data directory or none.
package backup

import (
	"errors"
	"time"
)

// manifestName is the first entry of an archive.
const manifestName = "manifest.json"

// format is the version of the archive.
const format = 1

// Limits of an archive.
const (
	maxFiles    = 100_000
	maxManifest = 32 << 20
)

// ErrArchive means that the archive cannot be restored: it is damaged, incomplete, or of a newer
// tapnode.
var ErrArchive = errors.New("the archive cannot be restored")

// Manifest says what is in an archive.
type Manifest struct {
	Format int       `json:"format"`
	Made   time.Time `json:"made"`
	// Schema is the version of engine.db's tables; 0 if the runs are elsewhere, in Postgres.
	Schema int    `json:"schema"`
	Nodes  []Node `json:"nodes"`
	Files  []File `json:"files"`
}

// Node is a node binary that the data belongs to. The binary itself is not in the archive.
type Node struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
}

// File is a file of the data directory, by its path with slashes.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}
