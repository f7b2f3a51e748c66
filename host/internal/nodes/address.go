package nodes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/tapnode/tapnode/sdk"
)

// maxAddress is the maximum length of a URL with its query, in bytes.
const maxAddress = 16 << 10

// query holds the parameters of a URL as JSON scalars, or lists of them.
type query map[string]json.RawMessage

// encode returns the query, or form, in the order of the names. at is its place in the input.
func (q query) encode(at string) (string, error) {
	values := url.Values{}
	for name, raw := range q {
		list := []json.RawMessage{raw}
		if bytes.HasPrefix(raw, []byte("[")) {
			if err := json.Unmarshal(raw, &list); err != nil {
				return "", err
			}
		}
		for _, item := range list {
			switch item[0] {
			case '[', '{':
				return "", misshapen(at, fmt.Sprintf("the parameter %.50q is not a text, number, boolean or list of these", name))
			case 'n':
			case '"':
				var s string
				if err := json.Unmarshal(item, &s); err != nil {
					return "", err
				}
				values.Add(name, s)
			default:
				values.Add(name, string(item))
			}
		}
	}
	return strings.ReplaceAll(values.Encode(), "+", "%20"), nil // "+" is a space in forms only
}

// address returns the URL to request. It refuses a URL that would not arrive as it was written
// because text was put into it without encoding.
func (in request) address() (*url.URL, error) {
	const encode = "put text into query, or write ${ urlEncode(…) }"
	refuse := func(format string, args ...any) error {
		return sdk.Invalid(sdk.Violation{Pointer: "/url", Code: "invalid_url", Message: fmt.Sprintf(format, args...), Suggestion: encode})
	}
	if strings.ContainsFunc(in.URL, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, refuse("the url holds a blank or a control character")
	}
	u, err := url.Parse(in.URL)
	if err == nil {
		_, err = url.QueryUnescape(u.RawQuery)
	}
	if escape, bad := errors.AsType[url.EscapeError](err); bad {
		return nil, refuse("the url holds %q, which is not a percent-escape", string(escape))
	}
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return nil, sdk.Invalid(sdk.Violation{Pointer: "/url", Code: "invalid_url", Message: "the url must be http:// or https:// with a host"})
	case u.Fragment != "":
		return nil, refuse("the url holds a #, and what follows it would not be sent")
	case slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }):
		return nil, refuse("the url's path leads upwards")
	}
	added, err := in.Query.encode("/query")
	if err != nil {
		return nil, err
	}
	u.RawQuery = strings.Trim(asciiOnly(u.RawQuery)+"&"+added, "&")
	if len(u.String()) > maxAddress {
		return nil, sdk.Invalid(sdk.Violation{Pointer: "/query", Code: "too_large", Message: fmt.Sprintf("the url with its query has more than %d bytes", maxAddress)})
	}
	return u, nil
}

// asciiOnly escapes the bytes that are not ASCII, as browsers do.
func asciiOnly(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < 0x80 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
