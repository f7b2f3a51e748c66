// Package nodetest proves that a node keeps the flownode.v1 contract: any node,
// in process or as a binary, written with package sdk or in another language.
//
// [Run] runs one subtest per promise, each on a fresh process with a state directory of its own. A
// promise that the [Target] does not provide the means to prove is skipped by name, so that a
// report shows what was not proven. The suite speaks gRPC over a unix socket and does a binary's
// handshake itself, without AutoMTLS, so it sees the exact bytes. It never waits for ever: a call
// has 30 s, a promise 5 min, and whatever hangs is named. Whether a host survives a bad node is a
// different question, which badnode is for.
package nodetest

import (
	"testing"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// Target is the node to test. Set either Node or Binary.
type Target struct {
	// Node returns the node to serve in this process, a new one on each call.
	Node func() *sdk.Node
	// Binary is the path of a node binary. Args and Env are for test binaries that act as a node on
	// demand; a real node binary needs none.
	Binary string
	Args   []string
	Env    []string

	// Settings and Secrets configure the node. The suite chooses the state directory.
	Settings []byte
	Secrets  map[string][]byte

	// Prepare brings a configured node into the state in which its samples work, e.g. logs it in.
	// It is called after each Configure, including one on the state directory of an earlier
	// process.
	Prepare func(t *testing.T, c *client.Client, stateDir string)

	// Samples are inputs that work, at least one for each operation that the test can call. They
	// may be run any number of times and concurrently.
	Samples []Sample
	// Slow is a call that reports progress and then runs until it is cancelled.
	Slow *Sample
	// Keyed returns the i-th of many calls of one KEYED operation, each with a different input.
	Keyed func(i int) Sample
	// Effects counts the node's effects on the outside world on this state directory, those of
	// earlier processes included.
	Effects func(t *testing.T, stateDir string) int
	// Trigger is a subscription to test.
	Trigger *Trigger
}

// Sample is an operation and an input.
type Sample struct {
	Operation string
	Input     []byte
}

// Trigger is a TRIGGER operation and the means to make its events happen.
type Trigger struct {
	Operation string
	Filter    []byte
	// Emit makes the i-th event happen. Without it Target.Keyed does so, with one event for each
	// effect.
	Emit func(t *testing.T, c *client.Client, i int)
	// EmitOn makes the i-th event of a subject happen; the node looks after two Subjects. It is for
	// nodes with the feature [sdk.FeatureSubjects]. On nodes with [sdk.FeatureLeases] the first of
	// them is claimed.
	EmitOn   func(t *testing.T, c *client.Client, subject string, i int)
	Subjects [2]string
}

// Run tests whether the target keeps every promise.
func Run(t *testing.T, target Target) {
	t.Helper()
	if (target.Node == nil) == (target.Binary == "") {
		t.Fatal("a Target needs either Node or Binary")
	}
	s := &suite{Target: target}
	for _, promise := range promises {
		t.Run(promise.name, func(t *testing.T) {
			begin(t)
			promise.prove(s, t)
		})
	}
}

// suite holds the target for the functions that prove the promises.
type suite struct{ Target }

// promises are the subtests, in the order a node's author would fix them.
var promises = []struct {
	name  string
	prove func(*suite, *testing.T)
}{
	{"describe/answers the same twice, before Configure", (*suite).describeTwice},
	{"describe/the offline command says the same, without any environment", (*suite).describeOffline},
	{"describe/ids, kinds and ports are well-formed", (*suite).describeWellFormed},
	{"describe/schemas compile and take the samples", (*suite).describeSchemas},
	{"validate/has no side effects and points at something", (*suite).validate},
	{"configure/refuses bad settings and can be repeated", (*suite).configureBad},
	{"configure/comes before work and only once", (*suite).configureOnce},
	{"execute/one completion, always last, with a valid output", (*suite).executeOnce},
	{"execute/refuses what breaks the contract", (*suite).executeRefuses},
	{"execute/no input kills the process", (*suite).executeHostile},
	{"execute/cancel and deadline end the work", (*suite).executeCancel},
	{"execute/a dry run does nothing", (*suite).executeDryRun},
	{"execute/one effect per key", (*suite).executeKeyed},
	{"execute/200 at once", (*suite).executeMany},
	{"subscribe/ready first, window, ack, resume, stop", (*suite).subscribeFlow},
	{"subscribe/the newest stream of a subscriber wins", (*suite).subscribeNewest},
	{"subscribe/many events of one subject hold up no other", (*suite).subscribeTurns},
	{"subscribe/refuses what breaks the contract", (*suite).subscribeRefuses},
	{"claim/the highest epoch has it", (*suite).claims},
	{"health/the process at once", (*suite).health},
	{"drain/refuses new work, names what it cut", (*suite).drain},
	{"close/is idempotent", (*suite).closeTwice},
	{"process/stdout carries the handshake and nothing else", (*suite).processStdout},
	{"process/ends when stdin, its lifeline, closes", (*suite).processStdin},
	{"process/does not outlive its parent", (*suite).processParent},
	{"process/SIGTERM ends it with 0, SIGINT does not", (*suite).processSignals},
	{"process/the log is JSON and tells no secret", (*suite).processLog},
	{"process/kill -9 loses and doubles nothing", (*suite).processKill},
}
