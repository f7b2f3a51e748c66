package nodepb_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/sdk"
	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

func TestTheProtocolVersionIsThatOfTheProtoPackage(t *testing.T) {
	want := fmt.Sprintf("flownode.v%d", sdk.ProtocolVersion)
	if got := string(nodepb.File_flownode_v1_node_proto.Package()); got != want {
		t.Errorf("the proto package is %s, the version constant says %s", got, want)
	}
}

// tools returns the directory of buf and its plugins, which the Makefile fills
// with pinned versions.
func tools(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("TAPNODE_TOOLS")
	if dir == "" {
		dir = filepath.Join("..", "..", ".tmp", "bin")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"buf", "protoc-gen-go", "protoc-gen-go-grpc"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%v: run `make generate-check`, or point TAPNODE_TOOLS at the directory", err)
			}
			t.Skipf("%v: run `make generate-check`, or point TAPNODE_TOOLS at the directory", err)
		}
	}
	return dir
}

// buf runs it in this directory, without any network.
func buf(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(tools(t), "buf"), args...)
	cmd.Env = append(os.Environ(), "BUF_CACHE_DIR="+t.TempDir(), "HTTPS_PROXY=http://127.0.0.1:1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("buf %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestTheProtoIsWellWritten(t *testing.T) { buf(t, "lint") }

// image.binpb is the contract as it was published. A change that old hosts or old
// nodes would not survive needs flownode.v2; after any other one, renew it with
// `buf build -o image.binpb`.
func TestTheContractOnlyGrows(t *testing.T) { buf(t, "breaking", "--against", "image.binpb") }

func TestGeneratedCodeIsCurrent(t *testing.T) {
	dir := tools(t)
	template, err := os.ReadFile("buf.gen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	here := filepath.Join(out, "buf.gen.yaml")
	if err := os.WriteFile(here, bytes.ReplaceAll(template, []byte("../../.tmp/bin"), []byte(dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	buf(t, "generate", "--template", here, "--output", out)
	for _, name := range []string{"flownode/v1/node.pb.go", "flownode/v1/node_grpc.pb.go"} {
		want, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what buf generates; run `make generate`", name)
		}
	}
}
