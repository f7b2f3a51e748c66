package nodetest_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
	"github.com/tapnode/tapnode/sdk/nodetest"
	"github.com/tapnode/tapnode/sdk/nodetest/filenode"
)

// asNode makes the test binary a node binary: filenode's, or a corrupt one.
const asNode = "NODETEST_AS_NODE"

func TestMain(m *testing.M) {
	switch as := os.Getenv(asNode); as {
	case "":
	case "filenode":
		sdk.Main(filenode.New())
	default:
		serveCorrupt(as)
	}
	goleak.VerifyTestMain(m)
}

func target() nodetest.Target {
	return nodetest.Target{
		Settings: []byte(`{"title":"test"}`),
		Secrets:  map[string][]byte{"/password": []byte("correct horse battery")},
		Samples:  []nodetest.Sample{{Operation: "file.append@1", Input: []byte(`{"text":"sample"}`)}},
		Slow:     &nodetest.Sample{Operation: "file.wait@1", Input: []byte(`{}`)},
		Keyed: func(i int) nodetest.Sample {
			return nodetest.Sample{Operation: "file.append@1", Input: fmt.Appendf(nil, `{"text":"line %d"}`, i)}
		},
		Effects: func(t *testing.T, stateDir string) int {
			b, err := os.ReadFile(filepath.Join(stateDir, "lines"))
			if err != nil {
				t.Error(err)
			}
			return bytes.Count(b, []byte("\n"))
		},
		Trigger: &nodetest.Trigger{Operation: "file.appended@1"},
	}
}

func TestFilenodeInProcess(t *testing.T) {
	in := target()
	in.Node = filenode.New
	prepared := 0
	in.Prepare = func(t *testing.T, c *client.Client, stateDir string) {
		prepared++
		if _, err := os.Stat(filepath.Join(stateDir, "lines")); err != nil {
			t.Errorf("Prepare comes before Configure: %v", err)
		}
		if _, _, err := c.Validate(t.Context(), "file.append@1", []byte(`{"text":"a"}`)); err != nil {
			t.Error(err)
		}
	}
	nodetest.Run(t, in)
	if prepared == 0 {
		t.Error("the node was never prepared")
	}
}

func TestFilenodeAsBinary(t *testing.T) {
	in := target()
	in.Binary, in.Env = os.Args[0], []string{asNode + "=filenode"}
	nodetest.Run(t, in)
}
