package flow

import (
	"fmt"
	"strings"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

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

// text is a scalar as people write it; objects and lists are empty.
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
