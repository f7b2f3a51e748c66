package flow

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// urlEncode is the function of that name: a text, number or bool as it may stand
// anywhere in an address, a path's segment or a query's value.
var urlEncode = expr.Function("urlEncode", func(args ...any) (any, error) {
	switch args[0].(type) {
	case map[string]any, []any:
		return nil, errors.New("urlEncode takes a text, a number or a boolean")
	}
	s := text(args[0])
	if len(s) > maxText/3 { // one byte becomes three
		return nil, fmt.Errorf("urlEncode takes at most %d bytes", maxText/3)
	}
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20"), nil
}, new(func(any) string))

// address is the beginning of a URL, up to where text in it can do harm.
var address = regexp.MustCompile(`^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#]*[/?]\S*$`)

// unencoded doubts an expression in the path or the query of a URL whose text may
// add parameters, cut the rest off or break the request.
func unencoded(before []part, src string, p *vm.Program) error {
	var b strings.Builder
	for _, part := range before {
		if part.expr {
			b.WriteByte('x')
		} else {
			b.WriteString(part.text)
		}
	}
	if kind := kindOf(p); kind != reflect.String && kind != reflect.Interface || !address.MatchString(b.String()) || strings.HasPrefix(src, "urlEncode(") {
		return nil
	}
	return fmt.Errorf("${ %s } goes into an address as it is: text with & # %% or a blank in it changes the address. Write ${ urlEncode(%s) }, or use query where the step has it", src, src)
}
