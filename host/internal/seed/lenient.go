package seed

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk"
)

// limits bound the bodies that decode reads.
var limits = jsonstrict.Limits{Bytes: 64 << 10, Depth: 16, Values: 1000, NoNUL: true}

// decode reads a body into a struct, and returns warnings about members that the struct does not
// have. An empty body counts as an empty object.
func decode(body []byte, into any) ([]sdk.Warning, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	if err := jsonstrict.Check(body, limits); err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid_request_body", "Invalid request body: "+err.Error())
	}
	all, _, ok := members(body)
	if !ok {
		return nil, refuse(http.StatusBadRequest, "invalid_request_body", "Invalid request body: it must be an object")
	}
	var warnings []sdk.Warning
	names := knownTo(into)
	all = slices.DeleteFunc(all, func(m member) bool { // encoding/json alone would ignore the case of names
		known := slices.Contains(names, m.name)
		if !known && len(warnings) < maxWarnings {
			warnings = append(warnings, unknown("", m.name))
		}
		return !known
	})
	if err := json.Unmarshal(join(all, nil), into); err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid_request_body", "Invalid request body: "+explain(err))
	}
	return warnings, nil
}

// unknown is the warning about a member that is ignored.
func unknown(at, name string) sdk.Warning {
	return sdk.Warning{Pointer: jsonstrict.Pointer(at, name), Code: "unknown_member", Message: "This member is not known here and was ignored"}
}

// maxWarnings bounds how many ignored members an answer names.
const maxWarnings = 20

// explain says which member of the body has a value of the wrong type.
func explain(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return jsonstrict.Pointer("", wrong.Field) + " cannot be a JSON " + wrong.Value
	}
	return "it cannot be read"
}

// knownTo returns the JSON names of a struct's members.
func knownTo(into any) (names []string) {
	for field := range reflect.TypeOf(into).Elem().Fields() {
		names = append(names, field.Tag.Get("json"))
	}
	return names
}
