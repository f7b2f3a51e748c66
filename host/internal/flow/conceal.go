package flow

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// concealed replaces a value that watchers must not see.
const concealed = "(concealed)"

// Conceal returns a call's input as watchers may see it. It replaces by concealed every value that
// the operation's schema marks writeOnly or of format "password", whichever node the operation
// belongs to, and every value that the function Conceal takes for a secret without a schema. The
// input itself does not change.
func (p *Program) Conceal(node string, input any) any {
	n := p.nodes[node]
	if n == nil || n.op == nil {
		return Conceal(input)
	}
	return conceal(input, n.op.secrets, "")
}

// ConcealVars is Conceal for the variables of a run, with the flow's own schema.
func (p *Program) ConcealVars(vars any) any {
	return conceal(vars, p.secrets, "")
}

// Conceal is for data without a schema: it conceals headers and parameters with
// the names of credentials, and passwords and signatures inside URLs.
func Conceal(v any) any { return conceal(v, applied{}, "") }

// ConcealText is Conceal for a text.
func ConcealText(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	s = userinfo.ReplaceAllString(s, "${1}"+concealed+"@")
	return credential.ReplaceAllString(s, "${1}"+concealed)
}

var (
	userinfo   = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/?#"]*@`)
	credential = regexp.MustCompile(`(?i)([?&](?:sig|key|[\w.~%-]*(?:token|secret|passw|pwd|api[-_]?key|signature|credential)[\w.~%-]*)=)[^&#\s"]*`)
	// secretNames matches names of headers and parameters: see isSecret.
	secretNames = regexp.MustCompile(`(?i)authoriz|^auth$|[-_]auth|auth[-_]|cookie|token|secret|passw|pwd|api-?_?key|[-_]key$|^key$|signature|^sig$|credential|session`)
)

// credentials reports whether the members of a value with this name are headers or parameters.
func credentials(name string) bool {
	return slices.Contains([]string{"headers", "header", "query", "params"}, strings.ToLower(name))
}

// isSecret reports whether a header or parameter with this name holds a credential.
func isSecret(name string) bool { return hinted(name) && secretNames.MatchString(name) }

// hints are parts of the names that secretNames matches.
var hints = []string{"auth", "key", "tok", "sec", "sig", "pass", "pwd", "coo", "cred", "sess"}

// hinted is false for most names, and never for a name that secretNames matches. It takes a tenth
// of the time of the pattern, which would otherwise run for each header of each call.
func hinted(name string) bool {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf { // such as the Kelvin sign, which the pattern matches as a k
			return true
		}
	}
	lower := strings.ToLower(name)
	return slices.ContainsFunc(hints, func(hint string) bool { return strings.Contains(lower, hint) })
}

// conceal returns v with its secrets replaced. in is the name of the member whose value v is.
func conceal(v any, s applied, in string) any {
	shown, _ := withoutSecrets(v, s, in)
	return shown
}

// withoutSecrets copies the parts of v that contain a secret, and returns everything else
// unchanged.
func withoutSecrets(v any, s applied, in string) (shown any, changed bool) {
	s = s.all()
	if v != nil && s.secret() {
		return concealed, true
	}
	switch v := v.(type) {
	case string:
		shown := ConcealText(v)
		return shown, shown != v
	case []any:
		out := v
		for i := range v {
			item, other := withoutSecrets(v[i], s.items(), in)
			if other && !changed {
				out, changed = slices.Clone(v), true
			}
			if other {
				out[i] = item
			}
		}
		return out, changed
	case map[string]any:
		named, out := credentials(in), v
		for k := range v {
			member, other := any(concealed), true
			if !named || v[k] == nil || !isSecret(k) {
				member, other = withoutSecrets(v[k], s.member(k), k)
			}
			if other && !changed {
				out, changed = maps.Clone(v), true
			}
			if other {
				out[k] = member
			}
		}
		return out, changed
	}
	return v, false
}

// applied holds the schemas that apply to one value, all of them parts of one document.
type applied struct {
	document map[string]any
	list     []any
}

// secretsOf returns a schema for conceal; empty if no part of it marks a secret.
func secretsOf(document map[string]any) applied {
	if !marksSecret(document) {
		return applied{}
	}
	return applied{document, []any{document}}
}

// marksSecret reports whether any part of a document can make applied.secret true.
func marksSecret(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		if v["writeOnly"] == true || v["format"] == "password" {
			return true
		}
		for _, m := range v {
			if marksSecret(m) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, marksSecret)
	}
	return false
}

// maxSchemas is how many schemas are considered for one value. A value with more counts as secret,
// because one of the others may say so.
const maxSchemas = 256

// unseen is the schema of a secret.
var unseen = applied{list: []any{map[string]any{"writeOnly": true}}}

// all adds the schemas that those in the list refer to or are composed of.
func (s applied) all() applied {
	if len(s.list) == 0 { // true of most data
		return s
	}
	out := applied{document: s.document}
	todo := append([]any(nil), s.list...)
	for len(todo) > 0 && len(out.list) < maxSchemas {
		m, ok := todo[0].(map[string]any)
		todo = todo[1:]
		if !ok || slices.ContainsFunc(out.list, func(seen any) bool {
			return reflect.ValueOf(seen).UnsafePointer() == reflect.ValueOf(m).UnsafePointer()
		}) {
			continue // a schema may refer to itself
		}
		out.list = append(out.list, m)
		if ref, ok := m["$ref"].(string); ok && strings.HasPrefix(ref, "#") {
			if v, ok := jsonstrict.Resolve(s.document, strings.TrimPrefix(ref, "#")); ok {
				todo = append(todo, v)
			}
		}
		for _, k := range []string{"allOf", "anyOf", "oneOf"} {
			list, _ := m[k].([]any)
			todo = append(todo, list...)
		}
		for _, k := range []string{"if", "then", "else"} {
			todo = append(todo, m[k])
		}
	}
	if len(todo) > 0 {
		return unseen
	}
	return out
}

func (s applied) secret() bool {
	for _, m := range s.list {
		m, _ := m.(map[string]any)
		if m["writeOnly"] == true || m["format"] == "password" {
			return true
		}
	}
	return false
}

func (s applied) member(name string) applied {
	out := applied{document: s.document}
	for _, m := range s.list {
		m, _ := m.(map[string]any)
		before := len(out.list)
		if v := member(m["properties"], name); v != nil {
			out.list = append(out.list, v)
		}
		patterns, _ := m["patternProperties"].(map[string]any)
		for pattern, v := range patterns {
			if matches, err := regexp.MatchString(pattern, name); matches || err != nil { // a faulty pattern counts as a match
				out.list = append(out.list, v)
			}
		}
		if len(out.list) == before {
			out.list = append(out.list, m["additionalProperties"])
		}
	}
	return out
}

func (s applied) items() applied {
	out := applied{document: s.document}
	for _, m := range s.list {
		m, _ := m.(map[string]any)
		prefix, _ := m["prefixItems"].([]any)
		out.list = append(append(out.list, m["items"]), prefix...)
	}
	return out
}
