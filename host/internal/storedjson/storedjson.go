// Package storedjson writes and reads JSON that the program itself has stored. Reading takes half
// the time of encoding/json, and a third where a type has an UnmarshalJSON, which encoding/json
// scans twice.
//
// What it guarantees: [Decode] reads everything that encoding/json has written and can read, older
// rows included, with the same result; [Encode] writes what encoding/json can read. The members of
// a map are written in any order, and names of struct members must match exactly.
//
// It is not for JSON from people or other programs: that is what package jsonstrict is for.
package storedjson

import (
	stdjson "encoding/json"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	v1 "github.com/go-json-experiment/json/v1"
)

// written are the behaviours of encoding/json that decide what a row holds.
var written = json.JoinOptions(v1.OmitEmptyWithLegacySemantics(true), v1.FormatDurationAsNano(true), json.FormatNilSliceAsNull(true), json.FormatNilMapAsNull(true),
	jsontext.AllowInvalidUTF8(true))

// Encode writes a value.
func Encode(v any) ([]byte, error) { return json.Marshal(v, written) }

// Decode reads a value. Input that the strict and fast reader rejects, such as a name that an older
// program has written twice, is read by encoding/json.
func Decode[T any](data []byte) (T, error) {
	var v T
	if json.Unmarshal(data, &v, reading) == nil {
		return v, nil
	}
	var again T
	return again, stdjson.Unmarshal(data, &again)
}

var reading = v1.FormatDurationAsNano(true)
