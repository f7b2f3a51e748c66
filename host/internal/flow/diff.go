package flow

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/schemas"
)

// Change is one difference between two versions of a flow.
type Change struct {
	// Pointer is the JSON Pointer to the place in the newer file, or in the older file if the thing
	// was removed.
	Pointer string `json:"pointer"`
	// What is "added", "removed" or "changed".
	What string `json:"what"`
	// Text describes the change in the words of the form.
	Text string `json:"text"`
}

const (
	added   = "added"
	removed = "removed"
	changed = "changed"
)

// Diff describes in words how two flow files differ in nodes, triggers, edges and fields. Nodes,
// triggers and everything else with an id are matched by id, so that their order does not matter;
// layout is ignored. The values of secrets are left out.
func Diff(c *Catalogue, older, newer []byte) ([]Change, error) {
	a, err := parse(older)
	if err != nil {
		return nil, fmt.Errorf("the older version: %w", err)
	}
	b, err := parse(newer)
	if err != nil {
		return nil, fmt.Errorf("the newer version: %w", err)
	}
	d := differ{form: schemaDoc(schemas.Read("flow.json")), catalogue: c}
	was, is := d.root(a), d.root(b)
	whole := forms{{d.form, []any{d.form}}}
	for _, name := range []string{"metadata", "vars"} {
		title := map[string]string{"metadata": "flow", "vars": "variables"}[name]
		d.compare(place{title, "/" + name}, place{title, "/" + name}, was[name], is[name], whole.member(name))
	}
	d.list("trigger", "/triggers", was["triggers"], is["triggers"], whole.member("triggers").items())
	d.list("node", "/nodes", was["nodes"], is["nodes"], whole.member("nodes").items())
	d.edges(a, b)
	return d.out, nil
}

// differ gathers changes.
type differ struct {
	form      map[string]any
	catalogue *Catalogue
	out       []Change
}

func (d *differ) root(f *Flow) map[string]any {
	root, _ := f.doc.root.(map[string]any)
	return root
}

// place is the place of a value, in words and as a pointer.
type place struct{ words, pointer string }

func (p place) under(words, name string) place {
	if p.words != "" {
		words = p.words + ": " + words
	}
	return place{words, jsonstrict.Pointer(p.pointer, name)}
}

// name returns the name of the member that the value is.
func (p place) name() string { return p.pointer[strings.LastIndexByte(p.pointer, '/')+1:] }

func (d *differ) note(pointer, what, format string, args ...any) {
	d.out = append(d.out, Change{pointer, what, fmt.Sprintf(format, args...)})
}

// compare notes how two values differ, each of which may be absent (nil).
func (d *differ) compare(from, to place, older, newer any, s forms) {
	if equal(older, newer) {
		return
	}
	switch {
	case older == nil:
		d.note(to.pointer, added, "%s was added%s", to.words, shown(newer, s, to.name(), ": "))
		return
	case newer == nil:
		d.note(from.pointer, removed, "%s was removed%s", from.words, shown(older, s, from.name(), "; it was "))
		return
	}
	a, isA := older.(map[string]any)
	b, isB := newer.(map[string]any)
	if isA && isB && !s.secret() {
		d.members(from, to, a, b, s)
		return
	}
	if x, y := byID(older), byID(newer); x != nil && y != nil {
		for _, id := range ids(older, newer) {
			i, j := x[id], y[id]
			d.compare(from.under(id, fmt.Sprint(i.index)), to.under(id, fmt.Sprint(j.index)), i.value, j.value, s.items())
		}
		return
	}
	if s.secret() {
		d.note(to.pointer, changed, "%s was changed", to.words)
		return
	}
	d.note(to.pointer, changed, "%s was %s, is %s", to.words, brief(older, s, from.name()), brief(newer, s, to.name()))
}

func (d *differ) members(from, to place, a, b map[string]any, s forms) {
	both := maps.Clone(a)
	maps.Copy(both, b)
	for _, name := range slices.Sorted(maps.Keys(both)) {
		m := s.member(name)
		if name == "with" { // described by the form of the operation
			from, to = place{from.words, jsonstrict.Pointer(from.pointer, name)}, place{to.words, jsonstrict.Pointer(to.pointer, name)}
			x, _ := a[name].(map[string]any)
			y, _ := b[name].(map[string]any)
			d.members(from, to, x, y, d.input(text(b["type"]), text(a["type"])))
			from.pointer, to.pointer = strings.TrimSuffix(from.pointer, "/with"), strings.TrimSuffix(to.pointer, "/with")
			continue
		}
		if credentials(to.name()) && isSecret(name) {
			m = forms{unseen}
		}
		words := cmp.Or(m.title(), name)
		d.compare(from.under(words, name), to.under(words, name), a[name], b[name], m)
	}
}

// input returns the schemas of the inputs of two operations, which may be the same.
func (d *differ) input(newer, older string) (out forms) {
	for _, operation := range slices.Compact([]string{newer, older}) {
		if op := d.catalogue.ops[operation]; op != nil {
			out = append(out, applied{op.shown, []any{op.shown}})
		}
	}
	return out
}

// list compares the nodes or triggers of two flows.
func (d *differ) list(kind, pointer string, older, newer any, s forms) {
	x, y := byID(older), byID(newer)
	for _, id := range ids(older, newer) {
		i, j := x[id], y[id]
		words := kind + " " + id
		from, to := place{words, fmt.Sprintf("%s/%d", pointer, i.index)}, place{words, fmt.Sprintf("%s/%d", pointer, j.index)}
		switch {
		case i.value == nil:
			d.note(to.pointer, added, "%s was added: %s", words, described(j.value))
		case j.value == nil:
			d.note(from.pointer, removed, "%s was removed; it was %s", words, described(i.value))
		default:
			d.compare(from, to, i.value, j.value, s)
		}
	}
}

func described(v any) string {
	if name := text(member(v, "name")); name != "" {
		return fmt.Sprintf("%s %q", text(member(v, "type")), name)
	}
	return text(member(v, "type"))
}

// edges compares where the ports lead.
func (d *differ) edges(a, b *Flow) {
	leads := func(f *Flow) (out map[string][]string, at map[string]string) {
		out, at = map[string][]string{}, map[string]string{}
		for i, e := range f.Edges {
			out[e.From] = append(out[e.From], e.To)
			at[e.From] = fmt.Sprintf("/edges/%d", i)
		}
		return out, at
	}
	was, wasAt := leads(a)
	is, isAt := leads(b)
	both := maps.Clone(was)
	maps.Copy(both, is)
	for _, port := range slices.Sorted(maps.Keys(both)) {
		x, y := slices.Sorted(slices.Values(was[port])), slices.Sorted(slices.Values(is[port]))
		switch {
		case slices.Equal(x, y):
		case len(x) == 0:
			d.note(isAt[port], added, "edge %s was added: it leads to %s", port, strings.Join(y, ", "))
		case len(y) == 0:
			d.note(wasAt[port], removed, "edge %s was removed; it led to %s", port, strings.Join(x, ", "))
		default:
			d.note(isAt[port], changed, "edge %s led to %s, leads to %s", port, strings.Join(x, ", "), strings.Join(y, ", "))
		}
	}
}

// element is an element of a list, with its index.
type element struct {
	value any
	index int
}

// byID returns the elements of a list by id; nil if v is not a list, or if an element has no id of
// its own.
func byID(v any) map[string]element {
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	out := map[string]element{}
	for i, el := range list {
		id := text(member(el, "id"))
		if _, twice := out[id]; id == "" || twice {
			return nil
		}
		out[id] = element{el, i}
	}
	return out
}

// ids returns the ids of two lists, in the order of the newer list, followed by those that were
// removed.
func ids(older, newer any) []string {
	var out []string
	for _, v := range []any{newer, older} {
		list, _ := v.([]any)
		for _, el := range list {
			if id := text(member(el, "id")); !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	return out
}

// forms are the schemas of a value: that of the newer version and, if the type of the node has
// changed, that of the older one.
type forms []applied

func (f forms) each(part func(applied) applied) forms {
	out := make(forms, len(f))
	for i, s := range f {
		out[i] = part(s.all())
	}
	return out
}

func (f forms) member(name string) forms {
	return f.each(func(s applied) applied { return s.member(name) })
}

func (f forms) items() forms { return f.each(applied.items) }

// secret reports whether the value is a secret in either version.
func (f forms) secret() bool {
	return slices.ContainsFunc(f, func(s applied) bool { return s.all().secret() })
}

// title returns the title of a value in the form; empty if it has none.
func (f forms) title() string {
	for _, s := range f {
		for _, m := range s.all().list {
			m, _ := m.(map[string]any)
			if title, _ := m["title"].(string); title != "" {
				return title
			}
		}
	}
	return ""
}

func equal(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// shown returns word followed by the value of a member; empty for a secret.
func shown(v any, s forms, name, word string) string {
	if s.secret() {
		return ""
	}
	return word + brief(v, s, name)
}

// maxBrief is how many characters of a value are shown.
const maxBrief = 80

func brief(v any, s forms, name string) string {
	v = conceal(v, applied{}, name)
	for _, schema := range s {
		v = conceal(v, schema, name)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T", v)
	}
	runes := []rune(string(raw))
	if len(runes) > maxBrief {
		return string(runes[:maxBrief]) + "…"
	}
	return string(runes)
}
