package node

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tapnode/tapnode/schemas"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// TestDeliveryPage: docs/delivery.md shows valid events and every refusal as it is.
func TestDeliveryPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/delivery.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)<!-- schema: (\\S+) -->\n```json\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(examples) == 0 {
		t.Fatal("no examples")
	}
	for _, example := range examples {
		c := jsonschema.NewCompiler()
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemas.Read(example[1])))
		if err == nil {
			err = c.AddResource(schemas.Base+example[1], schema)
		}
		if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(example[2]))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.MustCompile(schemas.Base + example[1]).Validate(document); err != nil {
			t.Error(err)
		}
	}
	for number, r := range send.Refusals {
		row := regexp.MustCompile(fmt.Sprintf("(?m)^\\| %d \\| `%s` \\| [^|]+ \\| %s \\|$", number, r.Code, regexp.QuoteMeta(r.Next)))
		if !row.Match(page) {
			t.Errorf("no row for %d, %s, %q", number, r.Code, r.Next)
		}
	}
}
