package flow_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
	"github.com/tapnode/tapnode/host/internal/nodes"
)

func catalogue(t testing.TB) *flow.Catalogue {
	t.Helper()
	ops := flowtest.Operations()
	for _, n := range nodes.All(nodes.Options{}) {
		ops = append(ops, n.Operation())
	}
	c, err := flow.NewCatalogue(ops...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The flows a newcomer runs have nothing to find, not even a warning.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../../examples/flows/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, findings, err := flow.Load(src, catalogue(t))
			if err != nil {
				t.Error(err)
			}
			for _, f := range findings {
				t.Error(f)
			}
		})
	}
}
