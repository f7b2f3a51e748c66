package flow

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"strings"
)

// urlEncode gives a text, number or boolean as it may stand anywhere in an address:
// as a path's segment or a query's value.
func urlEncode(args ...any) (any, error) {
	switch args[0].(type) {
	case nil, string, bool, int, float64:
		return strings.ReplaceAll(url.QueryEscape(text(args[0])), "+", "%20"), nil
	}
	return nil, errors.New("it takes a text, a number or a boolean")
}

// queryPrice covers a sorted list of the names, beside what is written.
func queryPrice(m *meter, args []any) (int, error) {
	sorted, err := keysPrice(m, args)
	if err != nil {
		return 0, err
	}
	n, err := m.measure(args...)
	return add(sorted, mul(8, n)), err
}

// urlQuery is the members of an object as the query of an address, in the order of their
// names. A list repeats its parameter, and what is nil is left out.
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
			encodedName, _ := urlEncode(name) // a text always has an encoding
			b.WriteString(text(encodedName) + "=" + text(encoded))
		}
	}
	return b.String(), nil
}

// address is the beginning of a URL, up to where text in it can do harm.
var address = regexp.MustCompile(`^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#]*[/?]\S*$`)

// unencoded doubts an expression in the path or the query of a URL whose text may
// add parameters, cut the rest off or break the request.
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
