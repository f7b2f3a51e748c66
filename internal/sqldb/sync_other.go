//go:build !linux

package sqldb

import "os"

const (
	// writeThrough has each write of a file wait for the disk.
	writeThrough = os.O_SYNC
	// direct is Linux's.
	direct = 0
)
