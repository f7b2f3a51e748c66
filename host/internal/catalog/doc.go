// Package catalog decides which node binaries may run.
//
// A binary runs only if nodes.lock names it: its path, size, SHA-256 and the digest
// of its manifest. What the package guarantees:
//
//   - What runs is what was hashed. The host reads the opened file itself, copies it
//     while hashing to <state>/bin/<sha256>, mode 0500, and runs that copy, so that a
//     later change of the original changes nothing. [Copy.Ensure] hashes the copy again
//     before each start unless it is unchanged.
//   - A difference is refused with what changed and how to accept it.
//   - A node whose manifest over gRPC differs from the one it showed when it was
//     locked is refused by [Entry.Accept].
//   - What a node offers is read from <name>.manifest.json beside nodes.lock, and
//     believed if its digest is the locked one; otherwise the copy is asked.
//   - Reading nodes.lock and asking a binary to describe itself are bounded in time,
//     size and processes, and mistakes are reported with their JSON Pointer.
package catalog
