package flow_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
	"github.com/tapnode/tapnode/schemas"
)

// Each file of testdata/findings gives exactly the findings that it lists.
func TestFindings(t *testing.T) {
	cat := flowtest.Catalogue(t)
	flowtest.Golden(t, "findings", func(t *testing.T, parts map[string]string) string {
		src := []byte(parts["flow"])
		p, findings, err := flow.Load(src, cat)
		var invalid *flow.InvalidError
		if err != nil && !errors.As(err, &invalid) {
			t.Fatalf("the error is no InvalidError: %v", err)
		}
		if invalid != nil {
			findings = invalid.Findings
		}
		if (p != nil) == flow.HasErrors(findings) {
			t.Error("a program comes exactly when there is no error")
		}
		var b strings.Builder
		for _, f := range findings {
			b.WriteString(f.Code + " " + f.String() + "\n")
		}
		if b.Len() == 0 {
			return "nothing\n"
		}
		return b.String()
	})
}

// The example in the published schema is a valid flow.
func TestSchemaExample(t *testing.T) {
	var schema struct {
		Examples []json.RawMessage `json:"examples"`
	}
	if err := json.Unmarshal(schemas.Read("flow.json"), &schema); err != nil || len(schema.Examples) == 0 {
		t.Fatalf("no example: %v", err)
	}
	for _, src := range schema.Examples {
		if _, findings, err := flow.Load(src, flowtest.Catalogue(t)); err != nil || len(findings) > 0 {
			t.Errorf("%v, %v", err, findings)
		}
	}
}

// The flows that a newcomer runs have no findings, not even a warning.
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
			_, findings, err := flow.Load(src, flowtest.Catalogue(t))
			if err != nil {
				t.Error(err)
			}
			for _, f := range findings {
				t.Error(f)
			}
		})
	}
}
