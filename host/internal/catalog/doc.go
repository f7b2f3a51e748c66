// Package catalog decides which node binaries may run.
//
// A binary runs only if nodes.lock names it: its path, size, SHA-256 and the digest
// of its manifest. What the package guarantees:
//
//   - The binary that runs is the one that was hashed. The host opens and reads the file
//     itself, copies it while hashing to <state>/bin/<sha256>, mode 0500, and runs that
//     copy, so that a later change of the original has no effect. [Copy.Ensure] hashes the
//     copy again before each start unless it is unchanged.
//   - A binary that differs is refused, with what changed and how to accept it.
//   - [Entry.Accept] refuses a node whose manifest over gRPC differs from the one it
//     printed when it was locked.
//   - The manifest of a node is read from <name>.manifest.json in the directory of
//     nodes.lock, and trusted if its digest is the locked one; otherwise the copy is asked.
//   - Reading nodes.lock and asking a binary to describe itself are bounded in time,
//     size and processes, and mistakes are reported with their JSON Pointer.
package catalog
