package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/tapnode/tapnode/sdk/schema"
)

// FuzzDocument compares the door with a slow reader that is plainly right.
func FuzzDocument(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"a":2}`, `{"a":[{"b":"\u0062"}],"c":-1.5e3}`, `{"\\\"":{"x":1e999}}`, `[]`, `{"a":"`, "{\"\xff\":0}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		f := schema.Document(document)
		if !json.Valid(document) {
			if f == nil {
				t.Fatalf("%q is not JSON and was let in", document)
			}
			return
		}
		twice := duplicates(document)
		switch {
		case f == nil && twice:
			t.Fatalf("%q has a member twice and was let in", document)
		case f != nil && f.Code == "duplicate_member" && !twice:
			t.Fatalf("%q has no member twice", document)
		}
	})
}

// FuzzCheck wants no panic, pointers that are pointers, and a filled document
// that passes again unchanged.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{`{"kind":"A"}`, `{"kind":"B","list":[{"type":"URL"}]}`, `{"n":1e30}`, `{"list":[[[1]]]}`} {
		f.Add([]byte(seed))
	}
	s := compile(f, shape)
	f.Fuzz(func(t *testing.T, document []byte) {
		filled, findings := s.Check(document)
		for _, finding := range findings {
			if _, ok := schema.Tokens(finding.Pointer); !ok || finding.Code == "" || finding.Message == "" {
				t.Fatalf("%q: %+v", document, finding)
			}
		}
		if len(findings) > 0 {
			return
		}
		again, findings := s.Check(filled)
		if !bytes.Equal(again, filled) || len(findings) > 0 {
			t.Fatalf("%q: %q, then %q %v", document, filled, again, findings)
		}
	})
}

// duplicates reads tokens and keeps a set per object.
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
