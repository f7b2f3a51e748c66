package clicks

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tapnode/tapnode/schemas"
)

// TestDocs: the examples of docs/clicks.md are valid, the event is one that we could have sent, and
// every refusal is explained.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../../docs/clicks.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)<!-- schema: (\\S+) -->\n```json\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	var checked []string
	for _, e := range examples {
		name, text := e[1], e[2]
		checked = append(checked, name)
		_, schema := readSchema(t, name)
		data, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := schema.Validate(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name != schemas.ButtonClicked {
			continue
		}
		var event Clicked
		if err := json.Unmarshal([]byte(text), &event); err != nil {
			t.Fatal(err)
		}
		again, err := jsonschema.UnmarshalJSON(strings.NewReader(mustJSON(t, event)))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := mustJSON(t, again), mustJSON(t, data); got != want {
			t.Errorf("the page shows\n%s\nwe send\n%s", want, got)
		}
	}
	if want := []string{schemas.ButtonClicked, schemas.SendButtonsInput}; !slices.Equal(checked, want) {
		t.Errorf("checked %v, want %v", checked, want)
	}
	document, _ := readSchema(t, schemas.ButtonClicked)
	properties := document["properties"].(map[string]any)
	members := properties["click"].(map[string]any)["properties"].(map[string]any)
	reasons := append(members["refused"].(map[string]any)["enum"].([]any), properties["matchedBy"].(map[string]any)["enum"].([]any)...)
	for _, reason := range reasons {
		if reason != nil && !strings.Contains(string(page), "| `"+reason.(string)+"` |") {
			t.Errorf("the page does not explain %v", reason)
		}
	}
}
