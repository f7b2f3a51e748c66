// Package catalog decides which node binaries may run.
//
// A binary runs only if nodes.lock names it: its path, size, SHA-256 and the digest
// of its manifest. What the package guarantees:
//
//   - What runs is what was hashed. The host reads the opened file itself, copies it
//     while hashing to <state>/bin/<sha256>, mode 0500, and runs that copy, so that a
//     later change of the original changes nothing.
//   - A difference is refused with what changed and how to accept it.
//   - A node whose manifest over gRPC differs from the one it showed when it was
//     locked is refused by [Entry.Accept].
//   - Reading nodes.lock and asking a binary to describe itself are bounded in time,
//     size and processes, and mistakes are reported with their JSON Pointer.
package catalog
