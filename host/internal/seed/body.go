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

// texts is the operation whose body has names of its own here.
const texts = "whatsapp.sendText@1"

// Routes are where an operation is found: where its manifest says, the seed's for a text, and
// for buttons the plural that one client asks for.
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

// Body makes a client's body one that the operation takes. Its schema tells which members
// the operation knows.
type Body struct {
	shape *shape
	// names are the members that clients use for the text, the first before the others.
	names []string
}

// textMember is the node's name for what clients call message or text.
const textMember = "contentText"

// NewBody is for an operation at a path with these parameters, which the body cannot give.
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

// Read leaves out what the operation does not know, with a warning, and is the body to the letter
// when there is nothing of that, or when it is no JSON: the operation says what is wrong.
func (b *Body) Read(body []byte) ([]byte, []sdk.Warning) {
	r := reading{}
	renamed := b.rename(body)
	out := r.object(renamed, b.shape, "")
	if len(r.warnings) == 0 {
		return renamed, nil
	}
	return out, r.warnings[:min(len(r.warnings), maxWarnings)]
}

// rename gives the text the operation's name, if the body does not use that.
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
		for i := range all { // also one that is there twice, for the operation to refuse
			if all[i].name == name {
				all[i].name = textMember
			}
		}
		return join(all, rest)
	}
	return body
}

// Explain says what an operation refuses in the client's words.
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

// schema is what of a JSON Schema says which members there are.
type schema struct {
	Ref        string             `json:"$ref"`
	Defs       map[string]*schema `json:"$defs"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	Additional *bool              `json:"additionalProperties"`
}

// shape is which members an object has, or the elements of an array. nil takes anything.
type shape struct {
	members map[string]*shape // nil: not an object, or one with any members
	items   *shape
}

// maxShape bounds how deep a schema is followed; schemas may refer to themselves.
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

// member is one of an object, its value as it was written.
type member struct {
	name  string
	value json.RawMessage
}

// members takes an object apart and keeps order, repetitions and what follows it, for whoever
// reads it next to refuse.
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

// join is the opposite of members.
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
