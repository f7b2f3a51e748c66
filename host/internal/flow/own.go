package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/expr-lang/expr/builtin"
	"golang.org/x/text/unicode/norm"

	"github.com/tapnode/tapnode/internal/typed"
)

// own holds the functions that expr-lang does not have. The cost of each depends on the size of its
// arguments.
var own = map[string]function{
	"urlEncode": {price: deep(8), call: urlEncode}, "urlQuery": {price: queryPrice, call: urlQuery},
	"jsonEncode": {price: deep(8), call: jsonEncode},
	"formatTime": {price: timePrice, call: formatTime}, "parseTime": {price: timePrice, call: readTime},
	"phone": {price: deep(64), call: phone}, "fold": {price: deep(64), call: fold},
}

// ownFunctions declares them to the checker.
func ownFunctions() map[string]*builtin.Function {
	out := map[string]*builtin.Function{}
	for name, declared := range map[string]reflect.Type{
		"urlEncode": reflect.TypeFor[func(any) string](), "urlQuery": reflect.TypeFor[func(any) string](),
		"jsonEncode": reflect.TypeFor[func(any) string](),
		"formatTime": reflect.TypeFor[func(any, string, ...string) string](), "parseTime": reflect.TypeFor[func(string, ...string) time.Time](),
		"phone": reflect.TypeFor[func(any) string](), "fold": reflect.TypeFor[func(any) string](),
	} {
		out[name] = &builtin.Function{Name: name, Func: own[name].call, Types: []reflect.Type{declared}}
	}
	return out
}

// jsonEncode formats a value as JSON on one line.
func jsonEncode(args ...any) (any, error) {
	v, err := Plain(args[0])
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(v)
	return string(raw), err
}

// findingZone is the approximate cost of reading the table of a zone.
const findingZone = 4 << 10

func timePrice(m *meter, args []any) (int, error) {
	n, err := m.measure(args...)
	return add(findingZone, mul(8, n)), err // the result can be longer than the layout
}

// formatTime formats a time, or the text of one, with a layout and on the clock of a zone.
func formatTime(args ...any) (any, error) {
	if len(args) < 2 || len(args) > 3 {
		return nil, errors.New("it takes a time, a layout and perhaps a zone")
	}
	zone := "UTC"
	if len(args) == 3 {
		zone, _ = args[2].(string)
	}
	loc, err := zoneOf(zone)
	if err != nil {
		return nil, err
	}
	t, ok := args[0].(time.Time)
	if written, isText := args[0].(string); isText {
		if t, err = parseTime(written, zone); err != nil {
			return nil, err
		}
	} else if !ok {
		return nil, fmt.Errorf("it takes a time, not %T", args[0])
	}
	layout, ok := args[1].(string)
	if !ok {
		return nil, errors.New("the layout must be a text")
	}
	return t.In(loc).Format(layout), nil
}

// readTime is parseTime for expressions.
func readTime(args ...any) (any, error) {
	texts, err := texts(args, len(args))
	switch {
	case err != nil:
		return nil, err
	case len(texts) == 1:
		return parseTime(texts[0], "UTC")
	case len(texts) == 2:
		return parseTime(texts[0], texts[1])
	}
	return nil, errors.New("it takes a text and perhaps a zone")
}

// phone returns the digits of a phone number, in any punctuation and script, or of the JID of a
// person; empty for everything else.
func phone(args ...any) (any, error) {
	written, server, jid := strings.Cut(typed.Clean(text(args[0])), "@")
	if jid {
		if server != "s.whatsapp.net" && server != "c.us" {
			return "", nil
		}
		written, _, _ = strings.Cut(written, ":") // the device
	}
	digits := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || strings.ContainsRune("()./\u2212\u00b7\u2022\u2027\u2219", r) {
			return -1
		}
		return r
	}, typed.Digits(norm.NFKC.String(written)))
	digits, plus := strings.CutPrefix(digits, "+")
	if !plus {
		digits = strings.TrimPrefix(digits, "00")
	}
	if strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) {
		return "", nil
	}
	return digits, nil
}

// fold reduces a text to what people mean by it, for comparison: without case, accents, spaces,
// invisible characters, the script of digits and surrounding punctuation.
func fold(args ...any) (any, error) { return typed.Loose(text(args[0])), nil }
