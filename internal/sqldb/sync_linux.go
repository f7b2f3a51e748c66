package sqldb

import "syscall"

const (
	// writeThrough has each write of a file wait for the disk, with its data and what is needed to read it again.
	writeThrough = syscall.O_DSYNC
	// direct has whole blocks go from memory to the disk, without a copy in the kernel's cache.
	direct = syscall.O_DIRECT
)
