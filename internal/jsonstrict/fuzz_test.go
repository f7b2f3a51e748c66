package jsonstrict_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strconv"
	"testing"
	"unicode/utf8"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// FuzzCheck compares the reader with slow ones that are obviously correct: without limits it
// accepts exactly what encoding/json accepts, minus what the package promises to refuse. Accepted
// input makes the same tree.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"a":2}`, `{"a":[{"b":"\u0062"}],"c":-1.5e3}`, `{"\\\"":{"x":1e999}}`, `[]`, `{"a":"`, "{\"\xff\":0}", `"\ud83d\ude00\ud83d"`, "[[[", ` 1 2`, `{"\u`} {
		f.Add([]byte(seed))
	}
	literal := func(n string) (any, error) { return json.Number(n), nil }
	f.Fuzz(func(t *testing.T, document []byte) {
		e := jsonstrict.Check(document, jsonstrict.Limits{})
		good := json.Valid(document) && utf8.Valid(document) && !duplicates(document) && !halfSurrogate(document)
		if good != (e == nil) {
			t.Fatalf("%q: good is %v, but got %v", document, good, e)
		}
		if e != nil {
			if plain, again := jsonstrict.Plain(document, jsonstrict.Limits{}, literal); plain != nil || again == nil || *again != *e {
				t.Fatalf("%q: %+v by Check, %+v by Plain", document, e, again)
			}
			if _, ok := jsonstrict.Tokens(e.Pointer); !ok || e.Code == "" || e.Message == "" || e.Offset < 0 || e.Offset > len(document) {
				t.Fatalf("%q: %+v", document, e)
			}
			return
		}
		root, e := jsonstrict.Parse(document, jsonstrict.Limits{})
		if e != nil {
			t.Fatalf("%q passed Check, but not Parse: %v", document, e)
		}
		same(t, document, root)
		plain, e := jsonstrict.Plain(document, jsonstrict.Limits{}, literal)
		var want any
		dec := json.NewDecoder(bytes.NewReader(document))
		dec.UseNumber()
		if err := dec.Decode(&want); e != nil || err != nil || !reflect.DeepEqual(plain, want) {
			t.Fatalf("%q is %v, %v; encoding/json reads %v, %v", document, plain, e, want, err)
		}
	})
}

// same compares a tree with a second reading by encoding/json.
func same(t *testing.T, document []byte, v *jsonstrict.Value) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.UseNumber()
	var walk func(v *jsonstrict.Value)
	next := func(want any) {
		if got, err := dec.Token(); got != want || err != nil {
			t.Fatalf("%q: the tree has %v, the text %v, %v", document, want, got, err)
		}
	}
	walk = func(v *jsonstrict.Value) {
		switch v.Kind {
		case jsonstrict.KindObject:
			next(json.Delim('{'))
			for i, name := range v.Names {
				next(name)
				walk(&v.Items[i])
			}
			next(json.Delim('}'))
		case jsonstrict.KindArray:
			next(json.Delim('['))
			for i := range v.Items {
				walk(&v.Items[i])
			}
			next(json.Delim(']'))
		case jsonstrict.KindString:
			next(v.Text)
		case jsonstrict.KindNumber:
			next(json.Number(v.Text))
		case jsonstrict.KindNull:
			next(nil)
		default:
			next(v.Kind == jsonstrict.KindTrue)
		}
	}
	walk(v)
}

// halfSurrogate finds \ud800 to \udfff outside a pair. In JSON a backslash occurs only inside a
// string, so the escapes can be read without parsing.
func halfSurrogate(data []byte) bool {
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		i++ // the escaped character does not begin another escape
		unit, ok := escaped(data[i-1:])
		if !ok || unit < 0xd800 || unit > 0xdfff {
			continue
		}
		low, ok := escaped(data[i+5:])
		if unit > 0xdbff || !ok || low < 0xdc00 || low > 0xdfff {
			return true
		}
		i += 10 // rest of this escape, and the low half
	}
	return false
}

// escaped reads a \uXXXX at the start of data.
func escaped(data []byte) (uint64, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return unit, err == nil
}

// duplicates reads tokens and keeps a set of names per object.
func duplicates(document []byte) bool {
	type frame struct {
		names  map[string]bool
		isName bool
	}
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.UseNumber()
	var open []*frame
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return false
		}
		if err != nil {
			return false
		}
		var top *frame
		if len(open) > 0 {
			top = open[len(open)-1]
		}
		if delim, ok := token.(json.Delim); ok {
			switch delim {
			case '{':
				open = append(open, &frame{names: map[string]bool{}, isName: true})
				continue
			case '[':
				open = append(open, &frame{})
				continue
			default:
				open = open[:len(open)-1]
				if len(open) > 0 {
					if top = open[len(open)-1]; top.names != nil {
						top.isName = true
					}
				}
				continue
			}
		}
		if top == nil || top.names == nil {
			continue
		}
		if !top.isName {
			top.isName = true
			continue
		}
		name := token.(string)
		if top.names[name] {
			return true
		}
		top.names[name] = true
		top.isName = false
	}
}
