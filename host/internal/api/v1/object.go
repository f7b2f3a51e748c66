package v1

import (
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tapnode/tapnode/sdk"
)

// object is a JSON object that somebody else reads.
type object struct{ sdk.JSON }

// UnmarshalJSON is json.Unmarshaler's.
func (o *object) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '{' {
		return errors.New("it must be an object")
	}
	return o.JSON.UnmarshalJSON(b)
}

// Schema is huma.SchemaProvider's.
func (object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}
