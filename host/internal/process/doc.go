// Package process keeps one node process alive and the host unharmed by it.
//
// A [Supervisor] starts a node binary with go-plugin, configures it, watches its
// health, starts it again when it dies and ends it in order. What it guarantees:
//
//   - Nothing a node prints, sends or leaves undone can stop, block or crash the
//     host: only this package reads its output, in bounded lines, and every
//     wait for it has a deadline.
//   - A node never outlives its host: its stdin is a pipe that closes with the host, and
//     on Linux the kernel kills it. When a node ends, the rest of its process group is
//     killed.
//   - A node sees only the allowed part of the host's environment, and of the host's files
//     a socket in a directory of mode 0700 that is removed with the process.
//   - Starts, stops and calls can be cancelled. A stop drains and closes the node, and
//     kills the processes that do not end by themselves.
//   - A node that keeps crashing is started ever more slowly and then not at all:
//     after [Spec.CrashBudget] crashes in [Spec.CrashWindow] it is [Quarantined]
//     until [Supervisor.Restart].
//   - A process that runs but does not answer is [Unresponsive] within seconds, and is
//     killed and replaced when that lasts.
//   - Each change of [State] is one line in the log and one wake-up of [Supervisor.Watch];
//     an unrequested end of a process is logged as an error, with its exit status.
//
// go-plugin negotiates versions and certificates, and nothing else. This package
// itself handles pipes, process group, connection and termination: see runner.go for
// the harm that go-plugin's own process handling would do to a host.
//
// The package needs POSIX process groups: it does not build on Windows.
package process
