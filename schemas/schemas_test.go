package schemas

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// names returns all files of the package, events included.
func names(t *testing.T) []string {
	t.Helper()
	found, err := fs.Glob(FS, "*.json")
	if err != nil || len(found) == 0 {
		t.Fatalf("schemas = %v, %v", found, err)
	}
	events, err := fs.Glob(FS, "events/*.json")
	if err != nil || len(events) == 0 {
		t.Fatalf("events = %v, %v", events, err)
	}
	return append(found, events...)
}

func document(t *testing.T, name string) map[string]any {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Read(name)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return doc.(map[string]any)
}

// refuse replaces every loader: a schema that needs another file is an error.
type refuse struct{}

func (refuse) Load(url string) (any, error) {
	return nil, errors.New("a schema may not load " + url)
}

// compile compiles the file, which also checks it against the metaschema.
func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.UseLoader(refuse{})
	c.AssertFormat()
	if err := c.AddResource(Base+name, document(t, name)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	compiled, err := c.Compile(Base + name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return compiled
}

func TestFiles(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			doc := document(t, name)
			if got := doc["$id"]; got != Base+name {
				t.Errorf("$id = %v, want %s", got, Base+name)
			}
			if got := doc["$schema"]; got != "https://json-schema.org/draft/2020-12/schema" {
				t.Errorf("$schema = %v", got)
			}
			schema := compile(t, name)
			examples, _ := doc["examples"].([]any)
			if len(examples) == 0 && strings.HasPrefix(name, "whatsapp") {
				t.Error("no examples")
			}
			for i, example := range examples {
				if err := schema.Validate(example); err != nil {
					t.Errorf("examples/%d: %v", i, err)
				}
			}
		})
	}
}

// TestProfile: the files use only what all form generators and validators known to us understand.
func TestProfile(t *testing.T) {
	forbidden := []string{"$dynamicRef", "$dynamicAnchor", "unevaluatedProperties", "unevaluatedItems", "$anchor"}
	formats := []string{"uri", "email", "date-time", "uuid"}
	for _, name := range names(t) {
		walk(document(t, name), "", func(pointer string, object map[string]any) {
			for _, keyword := range forbidden {
				if _, ok := object[keyword]; ok {
					t.Errorf("%s%s: %s is outside the profile", name, pointer, keyword)
				}
			}
			if ref, ok := object["$ref"].(string); ok && !strings.HasPrefix(ref, "#") {
				t.Errorf("%s%s: $ref %q leaves the file", name, pointer, ref)
			}
			if format, ok := object["format"].(string); ok && !slices.Contains(formats, format) {
				t.Errorf("%s%s: format %q is outside the profile", name, pointer, format)
			}
		})
	}
}

// TestForms: a form for an input, a filter or the settings needs no other knowledge, so each
// property has a title and a place.
func TestForms(t *testing.T) {
	for _, name := range names(t) {
		form := strings.HasSuffix(name, ".input.json") || strings.HasSuffix(name, ".filter.json") || name == Settings
		if !form {
			continue
		}
		properties := document(t, name)["properties"].(map[string]any)
		places := map[string]string{}
		for key, property := range properties {
			p := property.(map[string]any)
			if p["title"] == nil {
				t.Errorf("%s: property %s has no title", name, key)
			}
			ui, _ := p["x-ui"].(map[string]any)
			place := asString(ui["order"])
			if other, taken := places[place]; taken || place == "" {
				t.Errorf("%s: property %s has no place of its own (order %q, %s)", name, key, place, other)
			}
			places[place] = key
		}
	}
}

// TestHints: a form generator needs to know only the hints and widgets that the package comment
// names.
func TestHints(t *testing.T) {
	hints := []string{"order", "widget", "group", "advanced", "expression", "placeholder", "help", "labels", "unit", "rows", "softMaxLength", "itemTitle", "addLabel", "icons", "preview"}
	widgets := []string{"text", "textarea", "number", "switch", "select", "url", "tel", "tags", "list", "map", "json", "code", "section", "secret", "instance", "instances", "recipient", "passkey"}
	for _, name := range names(t) {
		walk(document(t, name), "", func(pointer string, object map[string]any) {
			ui, _ := object["x-ui"].(map[string]any)
			for hint := range ui {
				if !slices.Contains(hints, hint) {
					t.Errorf("%s%s: unknown hint %s", name, pointer, hint)
				}
			}
			if widget, ok := ui["widget"].(string); ok && !slices.Contains(widgets, widget) {
				t.Errorf("%s%s: unknown widget %s", name, pointer, widget)
			}
			labels, _ := ui["labels"].(map[string]any)
			values, _ := object["enum"].([]any)
			for label := range labels {
				if !slices.Contains(values, any(label)) {
					t.Errorf("%s%s: label for %s, which is no value", name, pointer, label)
				}
			}
		})
	}
}

// TestExamplesOfProperties: the sample values shown in forms are valid values.
func TestExamplesOfProperties(t *testing.T) {
	for _, name := range names(t) {
		c := jsonschema.NewCompiler()
		c.UseLoader(refuse{})
		c.AssertFormat()
		if err := c.AddResource(Base+name, document(t, name)); err != nil {
			t.Fatal(err)
		}
		walk(document(t, name), "", func(pointer string, object map[string]any) {
			examples, _ := object["examples"].([]any)
			if fallback, ok := object["default"]; ok {
				examples = append(examples, fallback)
			}
			if len(examples) == 0 || !strings.Contains(pointer, "/properties/") {
				return
			}
			part, err := c.Compile(Base + name + "#" + pointer)
			if err != nil {
				t.Fatalf("%s%s: %v", name, pointer, err)
			}
			for _, example := range examples {
				if err := part.Validate(example); err != nil {
					t.Errorf("%s%s: example %v: %v", name, pointer, example, err)
				}
			}
		})
	}
}

func TestReadPanicsOnUnknown(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Read of an unknown file returned")
		}
	}()
	Read("nothing.json")
}
