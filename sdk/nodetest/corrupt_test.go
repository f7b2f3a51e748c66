package nodetest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/sdk/nodetest"
)

// corruptEnv names the promise that the node of TestCorruptNode breaks.
const corruptEnv = "NODETEST_CORRUPT"

// TestTheSuiteCatches runs the suite, in a process of its own, on a node that breaks one promise,
// and requires that this promise fails for that reason.
func TestTheSuiteCatches(t *testing.T) {
	tests := []struct{ corruption, promise, says string }{
		{"describe-changes", "describe/twice", "two answers differ"},
		{"describe-malformed", "describe/well-formed", "malformed"},
		{"describe-bad-schema", "describe/schemas", "output"},
		{"validate-no-pointer", "validate/", "needs a JSON Pointer"},
		{"configure-takes-all", "configure/bad", "got no violation"},
		{"configure-again", "configure/once", "want FailedPrecondition"},
		{"execute-two-completions", "execute/one_completion", "after the completion"},
		{"execute-no-completion", "execute/one_completion", "without a completion"},
		{"execute-bad-output", "execute/one_completion", "output of"},
		{"execute-bare-failure", "execute/hostile", "incomplete failure"},
		{"execute-uncancellable", "execute/cancel", "still runs"},
		{"execute-dry-acts", "execute/dry_run", "after"},
		{"execute-forgets-keys", "execute/one_effect", "one key, several outcomes"},
		{"execute-forgets-keys", "process/kill", "effects for"},
		{"subscribe-no-ready", "subscribe/ready_first", "not ready"},
		{"subscribe-no-window", "subscribe/ready_first", "let"},
		{"subscribe-new-ids", "subscribe/ready_first", "resumed with"},
		{"subscribe-wrong-cursor", "subscribe/ready_first", "stopped at"},
		{"claim-taken", "claim/", "want Unimplemented"},
		{"health-silent", "health/", "no state of the process"},
		{"drain-silent", "drain/", "want the key"},
		{"close-once", "close/", "close"},
		{"process-prints", "process/stdout", "noise"},
		{"process-orphan", "process/stdin", "still lives"},
		{"process-orphan", "process/does_not_outlive", "outlives its parent"},
		{"process-dies-of-SIGINT", "process/SIGTERM", "after SIGINT"},
		{"process-bad-log", "process/log", "not a log line"},
		{"process-leaks", "process/log", "has the secret"},
		{"hang-handshake", "describe/twice", "hangs: no handshake line"},
		{"hang-Describe", "describe/twice", "hangs: no answer to /flownode.v1.NodeService/Describe"},
		{"hang-Configure", "configure/once", "hangs: no answer to"},
		{"hang-Execute", "execute/one_completion", "hangs: nothing more comes from"},
		{"hang-Execute", "execute/hostile", "hangs: nothing more comes from"},
		{"hang-Subscribe", "subscribe/ready_first", "hangs: nothing more comes from"},
		{"hang-WatchHealth", "health/", "hangs: nothing more comes from"},
		{"hang-Drain", "drain/", "hangs: no answer to"},
		{"hang-Close", "close/", "hangs: no answer to"},
		{"drain-no-progress", "drain/", "before it reported progress"},
	}
	for _, tt := range tests {
		t.Run(tt.corruption+" "+tt.promise, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			group, rest, _ := strings.Cut(tt.promise, "/")
			names := map[string]string{"twice": "answers", "well-formed": "ids", "bad": "refuses_bad", "once": "comes", "hostile": "no_input", "dry_run": "a_dry", "stdin": "ends", "log": "the_log"}
			if name := names[rest]; name != "" {
				rest = name
			}
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.v", "-test.run", "^TestCorruptNode$/^"+group+"$/^"+rest)
			cmd.Env = append(os.Environ(), corruptEnv+"="+tt.corruption)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestCorruptNode/"+group+"/"+rest) || !strings.Contains(string(out), tt.says) {
				t.Errorf("not caught (%v):\n%s", err, out)
			}
		})
	}
}

// TestCorruptNode is the part of TestTheSuiteCatches that runs in that process.
func TestCorruptNode(t *testing.T) {
	corruption := os.Getenv(corruptEnv)
	if corruption == "" {
		t.Skip("run by TestTheSuiteCatches")
	}
	if strings.HasPrefix(corruption, "hang-") || corruption == "drain-no-progress" {
		nodetest.Hurry()
	}
	in := target()
	in.Binary, in.Env = os.Args[0], []string{asNode + "=" + corruption}
	nodetest.Run(t, in)
}
