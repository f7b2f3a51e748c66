package schema

import (
	"bytes"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// Limits of a document.
const (
	MaxBytes = 16 << 20 // the contract's message limit
	MaxDepth = 64       // objects and arrays inside each other
)

var limits = jsonstrict.Limits{Bytes: MaxBytes, Depth: MaxDepth, Digits: 1000}

// Document checks that b is a document of the contract: one JSON object, UTF-8,
// within the limits, no member twice, no number beyond a float64 or a thousand digits. It answers with at most one finding,
// because after the first nothing else can be read reliably. It does not look at
// any schema.
func Document(b []byte) *Finding {
	if e := jsonstrict.Check(b, limits); e != nil {
		return &Finding{Pointer: e.Pointer, Code: string(e.Code), Message: "the document cannot be read: " + e.Message, Suggestion: e.Suggestion}
	}
	if bytes.TrimLeft(b, " \t\r\n")[0] != '{' {
		return &Finding{Code: "not_an_object", Message: "the document must be a JSON object", Suggestion: "wrap it in { }"}
	}
	return nil
}
