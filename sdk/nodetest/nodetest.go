// Package nodetest proves that a node keeps the flownode.v1 contract: any node,
// in process or as a binary, written with package sdk or in another language.
//
// [Run] makes one subtest per promise, each on a fresh process with a state
// directory of its own. What the [Target] gives no means for is skipped, by name,
// so that a report shows what was not proven. The suite speaks gRPC over a unix
// socket and does a binary's handshake by hand, without AutoMTLS: it sees the
// very bytes. It never waits for ever: a call has 30 s, a promise 5 min, and what hangs
// is named. Whether a host survives a bad node is another question; badnode is
// there to ask it.
package nodetest

import (
	"testing"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// Target is the node to prove. Either Node or Binary is set.
type Target struct {
	// Node returns the node to serve in this process, a new one for each call.
	Node func() *sdk.Node
	// Binary is the path of a node binary. Args and Env are for test binaries that
	// are a node on demand; a real one needs none.
	Binary string
	Args   []string
	Env    []string

	// Settings and Secrets configure it. The suite chooses the state directory.
	Settings []byte
	Secrets  map[string][]byte

	// Prepare brings a configured node to where its samples work, e.g. logs it in.
	// It follows each Configure, also that of an earlier life's state directory.
	Prepare func(t *testing.T, c *client.Client, stateDir string)

	// Samples are inputs that work, at least one for each operation that the test
	// can call. They may run in any number and at the same time.
	Samples []Sample
	// Slow is a call that reports progress and then runs until it is cancelled.
	Slow *Sample
	// Keyed is the i-th of many calls of one KEYED operation, each with another
	// input.
	Keyed func(i int) Sample
	// Effects counts what the node has done to the world outside, in its life or
	// in an earlier one on this state directory.
	Effects func(t *testing.T, stateDir string) int
	// Trigger is a subscription to prove.
	Trigger *Trigger
}

// Sample is an operation and an input.
type Sample struct {
	Operation string
	Input     []byte
}

// Trigger is a TRIGGER operation and the way to make its events happen.
type Trigger struct {
	Operation string
	Filter    []byte
	// Emit makes the i-th event happen. Without it Target.Keyed does, with one
	// event for each effect.
	Emit func(t *testing.T, c *client.Client, i int)
	// EmitOn makes the i-th event of a subject happen, of two subjects that the node looks
	// after. It is for nodes with the feature [sdk.FeatureSubjects]. Those with
	// [sdk.FeatureLeases] are claimed the first of them.
	EmitOn   func(t *testing.T, c *client.Client, subject string, i int)
	Subjects [2]string
}

// Run proves the target.
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

// suite is what the promises are proven with.
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
