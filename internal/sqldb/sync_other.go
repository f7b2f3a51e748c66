//go:build !linux

package sqldb

import "os"

const (
	// writeThrough makes each write to a file wait for the disk.
	writeThrough = os.O_SYNC
	// direct is empty: O_DIRECT is used on Linux only.
	direct = 0
)
