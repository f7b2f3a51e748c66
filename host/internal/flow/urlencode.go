package flow

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"strings"
)

// urlEncode escapes a text, number or boolean for any place in a URL, such as a path segment or a
// query value.
func urlEncode(args ...any) (any, error) {
	switch args[0].(type) {
	case nil, string, bool, int, float64:
		return strings.ReplaceAll(url.QueryEscape(text(args[0])), "+", "%20"), nil
	}
	return nil, errors.New("it takes a text, a number or a boolean")
}

// queryPrice covers sorting the names and writing the query.
func queryPrice(m *meter, args []any) (int, error) {
	sorted, err := keysPrice(m, args)
	if err != nil {
		return 0, err
	}
	n, err := m.measure(args...)
	return add(sorted, mul(8, n)), err
}

// urlQuery encodes the members of an object as the query of a URL, in the order of their names. A
// list repeats its parameter, and nil values are left out.
func urlQuery(args ...any) (any, error) {
	members, err := object(args)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, name := range keys(members) {
		values, several := members[name].([]any)
		if !several {
			values = []any{members[name]}
		}
		for _, v := range values {
			encoded, err := urlEncode(v)
			if err != nil {
				return nil, fmt.Errorf("the parameter %.50q: %w", name, err)
			}
			if v == nil {
				continue
			}
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			encodedName, _ := urlEncode(name) // never fails for a text
			b.WriteString(text(encodedName) + "=" + text(encoded))
		}
	}
	return b.String(), nil
}

// address matches the beginning of a URL up to a place where unescaped text can do harm.
var address = regexp.MustCompile(`^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#]*[/?]\S*$`)

// unencoded reports an unescaped expression in the path or the query of a URL: its text may add
// parameters, cut off the rest or break the request.
func unencoded(before []part, src string, kind reflect.Kind) error {
	var b strings.Builder
	for _, part := range before {
		if part.expr {
			b.WriteByte('x')
		} else {
			b.WriteString(part.text)
		}
	}
	if kind != reflect.String && kind != reflect.Interface || !address.MatchString(b.String()) || strings.HasPrefix(src, "urlEncode(") || strings.HasPrefix(src, "urlQuery(") {
		return nil
	}
	return fmt.Errorf("${ %s } goes into an address as it is: text with & # %% or a blank in it changes the address. Write ${ urlEncode(%s) }, or use query where the step has it", src, src)
}
