package sdk_test

import (
	"os"
	"strings"
	"testing"
)

// The example shows that a node is small. Counted is everything before the host's part, which a
// real node does not have.
func TestTheExampleIsACompleteNodeInUnder40Lines(t *testing.T) {
	b, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	whole, _, found := strings.Cut(string(b), "\n\t// Output:")
	if n := strings.Count(whole, "\n"); !found || n >= 40 {
		t.Errorf("%d lines", n)
	}
}
