package nodetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// HostileInput is a bad document that comes from outside, by mistake or on purpose.
type HostileInput struct {
	Name  string
	Bytes []byte
}

// Hostile is the table of documents that must not harm any reader of JSON: neither a node, to which
// the suite sends them at every operation, nor a host. None is a valid request of any operation
// with required members. The largest has 4 MiB.
func Hostile() []HostileInput { return hostile() }

// hostile is built on first use, because programs that contain it start often.
var hostile = sync.OnceValue(func() []HostileInput {
	widest := many
	if testing.Short() {
		widest /= 10
	}
	return []HostileInput{
		{"nothing", nil},
		{"blanks", []byte(" \t\r\n")},
		{"empty object", []byte(`{}`)},
		{"empty array", []byte(`[]`)},
		{"null", []byte(`null`)},
		{"string", []byte(`"x"`)},
		{"number", []byte(`-0`)},
		{"cut", []byte(`{"a":`)},
		{"two documents", []byte(`{} {}`)},
		{"trailing comma", []byte(`{"a":1,}`)},
		{"comment", []byte(`{/* a */}`)},
		{"byte order mark", []byte("\xef\xbb\xbf{}")},
		{"UTF-16", []byte("{\x00}\x00")},
		{"not UTF-8", []byte("{\"a\":\"\xff\xfe\"}")},
		{"overlong UTF-8", []byte("{\"a\":\"\xc0\xaf\"}")},
		{"half of a pair", []byte(`{"\u0000":"\u0000","a":"\ud800"}`)},
		{"control character", []byte("{\"a\":\"\x00\x1b[2J\"}")},
		{"member twice", []byte(`{"a":1,"a":2}`)},
		{"unknown members", []byte(`{"__proto__":{"a":1},"constructor":1,"":2,"a/b~c":3}`)},
		{"wrong types", []byte(`{"number":{"a":[1,2,3]},"text":[],"contentText":true,"buttons":7,"id":null,"instance":1.5,"title":{}}`)},
		{"number out of range", []byte(`{"a":1e999}`)},
		{"number of many powers", []byte(`{"a":1e-999999999}`)},
		{"number of many digits", []byte(`{"a":` + strings.Repeat("9", 100_000) + `}`)},
		{"100 deep", nested(100)},
		{"10,000 deep", nested(10_000)},
		{"100,000 deep", nested(100_000)},
		{"10,000 arrays deep", []byte(`{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`)},
		{"10,000 arrays open", []byte(`{"a":` + strings.Repeat("[", 10_000))},
		{"long name", []byte(`{"` + strings.Repeat("n", 1<<20) + `":1}`)},
		{"long text", []byte(`{"instance":"` + strings.Repeat("x", 4<<20-20) + `"}`)},
		{"many members", members(widest)},
		{"many elements", []byte(`{"buttons":[1` + strings.Repeat(",1", widest) + `]}`)},
	}
})

func nested(depth int) []byte {
	return slices.Concat(bytes.Repeat([]byte(`{"a":`), depth), []byte(`1`), bytes.Repeat([]byte(`}`), depth))
}

func members(n int) []byte {
	b := []byte(`{"m":0`)
	for i := range n {
		b = fmt.Appendf(b, `,"m%d":0`, i)
	}
	return append(b, '}')
}
