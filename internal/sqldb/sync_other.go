//go:build !linux

package sqldb

import "os"

// writeThrough has each write of a file wait for the disk.
const writeThrough = os.O_SYNC
