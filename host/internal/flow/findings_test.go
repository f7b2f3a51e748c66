package flow_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
)

// What is found in each file of testdata/findings, to the letter.
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
