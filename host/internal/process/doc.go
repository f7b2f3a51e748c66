// Package process keeps one node process alive and the host unharmed by it.
//
// A [Supervisor] starts a node binary with go-plugin, configures it, watches its
// health, starts it again when it dies and ends it in order. What it guarantees:
//
//   - Nothing a node prints, sends or leaves undone can stop, block or crash the
//     host: its output is read by this package alone, in bounded lines, and every
//     wait for it has a deadline.
//   - A node never outlives its host: its stdin is a pipe that closes with the host, and
//     on Linux the kernel kills it. Whatever is left of its process group when it ends is
//     killed.
//   - A node sees of the host's environment an allow-list, and of its files a
//     socket in a directory of mode 0700 that is removed with the process.
//   - Starts, stops and calls can be cancelled. A stop drains, closes, and kills
//     what does not end by itself.
//   - A node that keeps crashing is started ever more slowly and then not at all:
//     after [Spec.CrashBudget] crashes in [Spec.CrashWindow] it is [Quarantined]
//     until [Supervisor.Restart].
//   - A process that lives and does not answer is [Unresponsive] within seconds, and is
//     killed and replaced when that lasts.
//   - Each change of [State] is one line in the log and one wake-up of [Supervisor.Watch];
//     an end that nobody asked for is an error there, with its exit status.
//
// go-plugin is used for what it is good at, negotiating versions and certificates.
// Pipes, process group, connection and end of life are ours: see runner.go for
// what its own process handling would do to a host.
//
// The package needs POSIX process groups: it does not build on Windows.
package process
