package seed

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk"
)

// texts is the operation for text messages, whose body has other member names in the seed's API.
const texts = "whatsapp.sendText@1"

// Routes returns the routes of an operation: the one in its manifest, the seed's for a text, and for
// buttons also the plural form, which one client uses.
func Routes(op sdk.OperationManifest) []sdk.Route {
	switch {
	case op.HTTP == nil && op.ID == texts:
		return []sdk.Route{{Method: "POST", Path: "/api/message/text/{instance}"}}
	case op.HTTP == nil:
		return nil
	case op.HTTP.Path == "/api/message/button/{instance}":
		return []sdk.Route{*op.HTTP, {Method: op.HTTP.Method, Path: "/api/message/buttons/{instance}"}}
	}
	return []sdk.Route{*op.HTTP}
}

// Body turns a client's body into one that the operation accepts. The schema of the operation tells
// which members it knows.
type Body struct {
	shape *shape
	// names are the members that clients use for the text, in order of precedence.
	names []string
}

// textMember is the node's name for the member that clients call message or text.
const textMember = "contentText"

// NewBody returns the Body of an operation whose path has the given parameters. Members with their
// names count as unknown.
func NewBody(op sdk.OperationManifest, params []string) *Body {
	var s schema
	b := &Body{}
	if json.Unmarshal(op.Input, &s) == nil {
		b.shape = s.shape(s.Defs, 0)
	}
	if b.shape != nil && b.shape.members != nil {
		for _, p := range params {
			delete(b.shape.members, p)
		}
	}
	if op.ID == texts {
		b.names = []string{"message", "text"}
	}
	return b
}

// Read removes the members that the operation does not know, with a warning for each, up to a limit.
// Apart from the renamed text member, a body without such members stays as it is, byte for byte. So
// does one that is not a JSON object: the operation reports what is wrong with it.
func (b *Body) Read(body []byte) ([]byte, []sdk.Warning) {
	r := reading{}
	renamed := b.rename(body)
	out := r.object(renamed, b.shape, "")
	if len(r.warnings) == 0 {
		return renamed, nil
	}
	return out, r.warnings[:min(len(r.warnings), maxWarnings)]
}

// rename gives the text member the operation's name, unless the body has a member of that name.
func (b *Body) rename(body []byte) []byte {
	if len(b.names) == 0 {
		return body
	}
	all, rest, ok := members(body)
	has := func(name string) int { return slices.IndexFunc(all, func(m member) bool { return m.name == name }) }
	if !ok || has(textMember) >= 0 {
		return body
	}
	for _, name := range b.names {
		if has(name) < 0 {
			continue
		}
		for i := range all { // a member may occur twice; the operation refuses that
			if all[i].name == name {
				all[i].name = textMember
			}
		}
		return join(all, rest)
	}
	return body
}

// Explain rewrites a problem of the operation to use the client's name of the text member.
func (b *Body) Explain(err error) error {
	p, ok := errors.AsType[*sdk.Problem](err)
	if !ok || len(b.names) == 0 {
		return err
	}
	said := *p
	said.Message = strings.Replace(p.Message, "ContentText", "Message", 1)
	said.Violations = slices.Clone(p.Violations)
	for i := range said.Violations {
		said.Violations[i].Message = strings.Replace(said.Violations[i].Message, "ContentText", "Message", 1)
		if said.Violations[i].Pointer == "/"+textMember {
			said.Violations[i].Pointer = "/" + b.names[0]
		}
	}
	return &said
}

// schema has the keywords of a JSON Schema that say which members are known.
type schema struct {
	Ref        string             `json:"$ref"`
	Defs       map[string]*schema `json:"$defs"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	Additional *bool              `json:"additionalProperties"`
}

// shape says which members an object, or each element of an array, may have. nil accepts anything.
type shape struct {
	members map[string]*shape // nil: not an object, or an object with any members
	items   *shape
}

// maxShape bounds the depth to which a schema is followed, because schemas may be recursive.
const maxShape = 8

func (s *schema) shape(defs map[string]*schema, depth int) *shape {
	if s == nil || depth > maxShape {
		return nil
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		return defs[name].shape(defs, depth+1)
	}
	out := &shape{items: s.Items.shape(defs, depth+1)}
	if s.Additional != nil && !*s.Additional {
		out.members = map[string]*shape{}
		for name, property := range s.Properties {
			out.members[name] = property.shape(defs, depth+1)
		}
	}
	return out
}

// reading collects the warnings of one body.
type reading struct{ warnings []sdk.Warning }

func (r *reading) value(raw []byte, s *shape, at string) []byte {
	if s == nil {
		return raw
	}
	if s.members != nil {
		return r.object(raw, s, at)
	}
	var items []json.RawMessage
	if s.items == nil || json.Unmarshal(raw, &items) != nil || items == nil {
		return raw
	}
	before := len(r.warnings)
	for i := range items {
		items[i] = r.value(items[i], s.items, jsonstrict.Pointer(at, i))
	}
	if len(r.warnings) == before {
		return raw
	}
	return append(append([]byte{'['}, bytes.Join(asBytes(items), []byte{','})...), ']')
}

func (r *reading) object(raw []byte, s *shape, at string) []byte {
	if s == nil || s.members == nil {
		return raw
	}
	all, rest, ok := members(raw)
	if !ok {
		return raw
	}
	before := len(r.warnings)
	kept := all[:0]
	for _, m := range all {
		inner, known := s.members[m.name]
		if !known {
			r.warnings = append(r.warnings, unknown(at, m.name))
			continue
		}
		m.value = r.value(m.value, inner, jsonstrict.Pointer(at, m.name))
		kept = append(kept, m)
	}
	if len(r.warnings) == before {
		return raw
	}
	return join(kept, rest)
}

// member is a member of an object, with its value as written.
type member struct {
	name  string
	value json.RawMessage
}

// members splits an object into its members. It keeps order, repetitions and the bytes after the
// object, so that the operation still sees and refuses them.
func members(raw []byte) (all []member, rest []byte, ok bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, false
	}
	for d.More() {
		t, err := d.Token()
		name, isName := t.(string)
		var value json.RawMessage
		if err != nil || !isName || d.Decode(&value) != nil {
			return nil, nil, false
		}
		all = append(all, member{name, value})
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, false
	}
	return all, raw[d.InputOffset():], true
}

// join is the inverse of members.
func join(all []member, rest []byte) []byte {
	out := []byte{'{'}
	for i, m := range all {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			continue // unreachable: strings always marshal
		}
		out = append(append(append(out, name...), ':'), m.value...)
	}
	return append(append(out, '}'), rest...)
}

func asBytes(items []json.RawMessage) [][]byte {
	out := make([][]byte, len(items))
	for i, item := range items {
		out[i] = item
	}
	return out
}
