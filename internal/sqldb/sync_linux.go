package sqldb

import "syscall"

const (
	// writeThrough makes each write to a file wait until its data, and the metadata needed to read
	// it again, are on the disk.
	writeThrough = syscall.O_DSYNC
	// direct makes whole blocks go from memory to the disk, without a copy in the kernel's cache.
	direct = syscall.O_DIRECT
)
