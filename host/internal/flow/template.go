package flow

import (
	"fmt"
	"strings"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// maxExpression is the length of one expression in bytes.
const maxExpression = 4096

// part is one piece of a template: literal text, or the source of an expression.
type part struct {
	text string
	expr bool
}

// isTemplate reports whether v is a string with an expression in it.
func isTemplate(v any) bool {
	s, ok := v.(string)
	return ok && strings.Contains(strings.ReplaceAll(s, "$${", ""), "${")
}

// splitTemplate cuts a string at its ${ … } expressions. Quotes and nested
// braces inside an expression do not end it; "$${" stands for a literal "${".
func splitTemplate(s string) ([]part, error) {
	var parts []part
	var lit strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		switch {
		case i < 0:
			lit.WriteString(s)
			if lit.Len() > 0 || len(parts) == 0 {
				parts = append(parts, part{text: lit.String()})
			}
			return parts, nil
		case strings.HasPrefix(s[i:], "$${"):
			lit.WriteString(s[:i] + "${")
			s = s[i+3:]
		case strings.HasPrefix(s[i:], "${"):
			lit.WriteString(s[:i])
			end := expressionEnd(s[i+2:])
			if end < 0 {
				return nil, fmt.Errorf("the expression that starts with %.20q has no closing brace", s[i:])
			}
			if end > maxExpression {
				return nil, fmt.Errorf("an expression has %d bytes; at most %d are allowed", end, maxExpression)
			}
			src := strings.TrimSpace(s[i+2 : i+2+end])
			if src == "" {
				return nil, fmt.Errorf("the expression ${} is empty")
			}
			if lit.Len() > 0 {
				parts = append(parts, part{text: lit.String()})
				lit.Reset()
			}
			parts = append(parts, part{text: src, expr: true})
			s = s[i+2+end+1:]
		default:
			lit.WriteString(s[:i+1])
			s = s[i+1:]
		}
	}
}

// expressionEnd is the offset of the brace that closes an expression, or -1.
func expressionEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i
			}
			depth--
		case '"', '\'', '`':
			for i++; i < len(s) && s[i] != c; i++ {
				if s[i] == '\\' && c != '`' {
					i++
				}
			}
		}
	}
	return -1
}

// fill replaces {member} and {/pointer} placeholders. dynamic means that a
// value is an expression, so the result is not known yet.
func fill(template string, v any) (out string, dynamic bool) {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(template, "{")
		b.WriteString(before)
		if !ok {
			return b.String(), dynamic
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			b.WriteString("{" + rest)
			return b.String(), dynamic
		}
		var val any
		if strings.HasPrefix(name, "/") {
			val, _ = jsonstrict.Resolve(v, name) // missing is empty
		} else {
			val = member(v, name)
		}
		dynamic = dynamic || isUnknown(val)
		b.WriteString(text(val))
		template = after
	}
}

// text formats a scalar for people; objects and lists give the empty string.
func text(v any) string {
	switch v := v.(type) {
	case nil, map[string]any, []any, unknown:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}
