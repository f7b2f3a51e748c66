package feed

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tapnode/tapnode/host/internal/events"
)

var update = flag.Bool("update", false, "write docs/asyncapi.json")

const asyncAPIFile = "../../../docs/asyncapi.json"

// TestAsyncAPI: the committed document is the one that is served. Each type of the catalogue is a
// message in both forms, with an example that matches its payload, on the channels that carry it.
func TestAsyncAPI(t *testing.T) {
	made, err := AsyncAPI()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(asyncAPIFile, made, 0o644); err != nil { //nolint:gosec // a page for everybody
			t.Fatal(err)
		}
	}
	if committed, err := os.ReadFile(asyncAPIFile); err != nil || !bytes.Equal(committed, made) {
		t.Fatalf("%s is not what the code says (%v); make it anew with go test -count=1 ./host/internal/feed -run TestAsyncAPI -update", asyncAPIFile, err)
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(made))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	const here = "http://tapnode/asyncapi.json"
	if err := c.AddResource(here, whole); err != nil {
		t.Fatal(err)
	}
	under := func(v any, names ...string) any {
		for _, name := range names {
			members, _ := v.(map[string]any)
			if v = members[name]; v == nil {
				t.Fatalf("no %s", strings.Join(names, " / "))
			}
		}
		return v
	}
	kinds, err := events.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		for _, name := range []string{k.Type, "seed." + k.Type} {
			schema, err := c.Compile(here + "#/components/messages/" + name + "/payload")
			if err != nil {
				t.Fatal(err)
			}
			examples, _ := under(whole, "components", "messages", name, "examples").([]any)
			if len(examples) == 0 {
				t.Errorf("%s has no example", name)
			}
			for _, e := range examples {
				if err := schema.Validate(under(e, "payload")); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if schema.Validate(map[string]any{"type": k.Type}) == nil {
				t.Errorf("%s takes anything", name)
			}
			if way := map[bool]string{true: "webhook", false: "events"}[k.Type == "webhook.test.v1"]; under(whole, "channels", way, "messages", name) == nil {
				t.Errorf("%s comes nowhere", name)
			}
		}
	}
}
