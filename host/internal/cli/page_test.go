package cli

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/app"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk"
)

var update = flag.Bool("update", false, "write the generated parts of docs/flows.md")

const page = "../../../docs/flows.md"

// TestFlowsPage compares the generated parts of docs/flows.md with the operations and
// schemas they are made from, and loads every flow on the page.
func TestFlowsPage(t *testing.T) {
	src, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	list, err := offline(t.Context(), nodesDir)
	if err != nil {
		t.Fatal(err)
	}
	part := regexp.MustCompile(`(?s)(<!-- generated: ([a-z]+) -->\n).*?(<!-- end -->)`)
	made := part.ReplaceAllStringFunc(string(src), func(old string) string {
		m := part.FindStringSubmatch(old)
		return m[1] + generated(t, m[2], list) + m[3]
	})
	switch {
	case made == string(src):
	case *update:
		if err := os.WriteFile(page, []byte(made), 0o644); err != nil { //nolint:gosec // a page for everybody
			t.Fatal(err)
		}
	default:
		t.Error("docs/flows.md is not what the code says: go test ./host/internal/cli -run TestFlowsPage -update")
	}

	cat, err := app.NewCatalogue(list)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(made, -1)
	if len(blocks) < 4 {
		t.Fatalf("found only %d flows on the page", len(blocks))
	}
	for i, b := range blocks {
		text := b[1]
		if !strings.HasPrefix(text, "apiVersion:") {
			text = over(blocks[0][1], text)
		}
		path := filepath.Join(t.TempDir(), "flow.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, findings, err := load(path, cat)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			t.Errorf("block %d: %s\n%s", i+1, f, text)
		}
	}
}

// over replaces sections of a document by those of another.
func over(base, sections string) string {
	section := regexp.MustCompile(`(?m)^[a-zA-Z]+:.*\n(?:[ #].*\n)*`)
	name := func(s string) string { return s[:strings.IndexByte(s, ':')] }
	changed := map[string]string{}
	for _, s := range section.FindAllString(sections, -1) {
		changed[name(s)] = s
	}
	return section.ReplaceAllStringFunc(base, func(s string) string { return cmp.Or(changed[name(s)], s) })
}

func generated(t *testing.T, part string, list []app.Installed) string {
	t.Helper()
	ops := builtin()
	for _, n := range list {
		for _, op := range n.Manifest.Operations {
			ops = append(ops, flow.Operation{OperationManifest: op})
		}
	}
	var b strings.Builder
	switch part {
	case "trigger", "node", "wait":
		doc := parsed(t, schemas.Read("flow.json"))
		def, _ := doc["$defs"].(map[string]any)[part].(map[string]any)
		members(&b, doc, def, true)
	case "steps":
		for _, op := range ops {
			if op.Kind == sdk.KindAction {
				step(t, &b, op)
			}
		}
	case "triggers":
		for _, op := range ops {
			if op.Kind == sdk.KindTrigger && len(op.Events) > 0 {
				in := parsed(t, op.Input)
				fmt.Fprintf(&b, "### `%s`\n\n%s Its event is `%s`.\n\n", op.ID, op.Summary, op.Events[0].Type)
				members(&b, in, in, true)
			}
		}
	case "events":
		for _, op := range ops {
			if op.Kind == sdk.KindTrigger && len(op.Events) > 0 {
				doc := parsed(t, op.Events[0].Schema)
				fmt.Fprintf(&b, "### `%s`\n\n%s\n\n", op.Events[0].Type, doc["description"])
				members(&b, doc, doc, false)
			}
		}
	default:
		t.Errorf("the page has an unknown part %q", part)
	}
	return b.String()
}

func parsed(t *testing.T, raw []byte) (doc map[string]any) {
	t.Helper()
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// replay says what a class means for the caller.
var replay = map[sdk.Replay]string{
	sdk.Pure:   "It has no effect outside.",
	sdk.Keyed:  "It happens once per visit, however often it is tried.",
	sdk.Unsafe: "One whose outcome is not known is not tried again.",
}

func step(t *testing.T, b *strings.Builder, op flow.Operation) {
	t.Helper()
	fmt.Fprintf(b, "### `%s`\n\n%s %s\n\nPorts: ", op.ID, op.Summary, replay[op.Replay])
	var ports []string
	for _, p := range op.Ports {
		ports = append(ports, "`"+p.ID+"`")
	}
	for _, r := range op.PortRules {
		kind, _, _ := strings.Cut(r.ID, ":")
		which := ""
		for _, k := range slices.Sorted(maps.Keys(r.Where)) {
			which += " whose `" + k + "` is `" + r.Where[k] + "`"
		}
		ports = append(ports, fmt.Sprintf("`%s` for each of `%s`%s, `%s:*`", r.ID, strings.TrimPrefix(r.Each, "/"), which, kind))
	}
	if len(op.Events) > 0 {
		ports = append(ports, "`timeout`")
	}
	if !slices.Contains(ports, "`error`") {
		ports = append(ports, "`error`")
	}
	fmt.Fprintf(b, "%s.\n\n", strings.Join(ports, ", "))
	in := parsed(t, op.Input)
	members(b, in, in, true)
	if len(op.Output) > 0 {
		out := parsed(t, op.Output)
		fmt.Fprint(b, "Output, as `nodes.ID` in expressions:\n\n")
		members(b, out, out, false)
	}
}

// members writes a table of an object's members, at any depth. If written, people write the object,
// and the table says which members are required; doc is the document for its references.
func members(b *strings.Builder, doc, object map[string]any, written bool) {
	fmt.Fprint(b, "| member | type | what it is |\n|---|---|---|\n")
	rows(b, doc, object, "", written)
	fmt.Fprint(b, "\n")
}

func rows(b *strings.Builder, doc, object map[string]any, prefix string, written bool) {
	all, _ := object["properties"].(map[string]any)
	required, _ := object["required"].([]any)
	for _, name := range ordered(all) {
		p := resolved(doc, all[name])
		path := prefix + name
		kind, nullable := typeName(p)
		if nullable {
			path += "?"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", path, kind, about(p, written && slices.Contains(required, any(name))))
		item := resolved(doc, p["items"])
		switch {
		case p["properties"] != nil:
			rows(b, doc, p, path+".", written)
		case item["properties"] != nil:
			rows(b, doc, item, path+"[].", written)
		}
	}
}

// ordered returns the names in the order of the form, with required and other members mixed.
func ordered(all map[string]any) []string {
	order := func(name string) float64 {
		p, _ := all[name].(map[string]any)
		ui, _ := p["x-ui"].(map[string]any)
		n, _ := ui["order"].(float64)
		return n
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int { return cmp.Or(cmp.Compare(order(a), order(b)), strings.Compare(a, b)) })
}

// resolved follows a reference inside the document.
func resolved(doc map[string]any, schema any) map[string]any {
	s, _ := schema.(map[string]any)
	ref, _ := s["$ref"].(string)
	name, ok := strings.CutPrefix(ref, "#/$defs/")
	if !ok {
		return s
	}
	defs, _ := doc["$defs"].(map[string]any)
	out := maps.Clone(resolved(doc, defs[name]))
	maps.Copy(out, s)
	return out
}

func typeName(p map[string]any) (name string, nullable bool) {
	switch kind := p["type"].(type) {
	case string:
		name = kind
	case []any:
		for _, k := range kind {
			nullable = nullable || k == "null"
			if k != "null" {
				name += fmt.Sprint(k)
			}
		}
	default:
		name = "any"
		if p["enum"] != nil || p["const"] != nil {
			name = "string"
		}
	}
	if item, ok := p["items"].(map[string]any); ok && name == "array" && item["type"] != nil {
		name = fmt.Sprintf("array of %ss", item["type"])
	}
	return name, nullable
}

func about(p map[string]any, required bool) string {
	text, _ := p["description"].(string)
	if text == "" {
		if text, _ = p["title"].(string); text != "" {
			text += "."
		}
	}
	list := func(values any) string {
		var out []string
		for _, v := range values.([]any) {
			out = append(out, fmt.Sprintf("`%v`", v))
		}
		return strings.Join(out, ", ")
	}
	if p["enum"] != nil && !strings.Contains(text, ":") {
		text += " One of " + list(p["enum"]) + "."
	}
	if d, ok := p["default"]; ok {
		raw, _ := json.Marshal(d)
		text += " Default `" + strings.Trim(string(raw), `"`) + "`."
	}
	if required {
		text = "**Required.** " + text
	}
	return strings.TrimSpace(strings.NewReplacer("|", `\|`, "\n", " ").Replace(text))
}
