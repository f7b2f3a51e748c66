package flow

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"strings"

	"github.com/expr-lang/expr/builtin"
)

// own are the functions that expr-lang does not have.
var own = map[string]function{"urlEncode": {price: deep(8), call: urlEncode}}

// ownFunctions declares them to the checker.
func ownFunctions() map[string]*builtin.Function {
	return map[string]*builtin.Function{"urlEncode": {Name: "urlEncode", Func: urlEncode, Types: []reflect.Type{reflect.TypeFor[func(any) string]()}}}
}

// urlEncode gives a text, number or boolean as it may stand anywhere in an address:
// as a path's segment or a query's value.
func urlEncode(args ...any) (any, error) {
	switch args[0].(type) {
	case nil, string, bool, int, float64:
		return strings.ReplaceAll(url.QueryEscape(text(args[0])), "+", "%20"), nil
	}
	return nil, errors.New("it takes a text, a number or a boolean")
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
	if kind != reflect.String && kind != reflect.Interface || !address.MatchString(b.String()) || strings.HasPrefix(src, "urlEncode(") {
		return nil
	}
	return fmt.Errorf("${ %s } goes into an address as it is: text with & # %% or a blank in it changes the address. Write ${ urlEncode(%s) }, or use query where the step has it", src, src)
}
