package sqldb

import "syscall"

// writeThrough has each write of a file wait for the disk, with its data and what is needed to read it again.
const writeThrough = syscall.O_DSYNC
