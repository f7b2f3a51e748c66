// Package sdk is what the author of a node binary imports.
//
// A node is a value: a [Node] with its operations, each an [Action], an
// [Operation] or a [Trigger] built from typed functions and JSON Schemas.
// [Main] serves it to a host that speaks the flownode.v1 contract, and answers
// describe, version and help without a host.
//
// What the package guarantees to the author:
//
//   - The functions of an operation may run concurrently; they run only between Configure and
//     Close.
//   - Their context ends when the caller cancels, when the deadline passes, when the grace period
//     of the drain is over, and when the host is gone.
//   - A panic fails that call with fault NODE; the process keeps running.
//   - Nothing that is printed can disturb the host: stdout is guarded before the handshake, and the
//     log goes to stderr as JSON. If the host does not read it, lines are lost, but the node keeps
//     running.
//   - The process never outlives its host: it ends with its parent process, and with its stdin if
//     the host says that it holds the other end ([LifelineKey]); otherwise it does not touch stdin.
//     SIGTERM drains; SIGINT is left to the host.
//   - The state directory belongs to this process alone: another process that is configured with it
//     is refused until this one has ended.
//   - Every input is one JSON object in UTF-8, nested at most 64 deep and without duplicate
//     members, before any function of the author sees it.
//
// Package client is the host's side of the same calls, package schema the JSON Schema checks, and
// package nodetest proves that a node keeps the contract.
package sdk
