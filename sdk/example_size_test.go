package sdk_test

import (
	"os"
	"strings"
	"testing"
)

// The example is the promise that a node is small: everything up to the host's
// side of it, which a real node does not have.
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
