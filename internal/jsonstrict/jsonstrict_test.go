package jsonstrict_test

import (
	"strings"
	"testing"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

func TestCheckSaysWhere(t *testing.T) {
	l := jsonstrict.Limits{Bytes: 2000, Depth: 3, Values: 20, Digits: 1000}
	for _, c := range []struct {
		name, document, pointer string
		code                    jsonstrict.Code
		offset                  int
	}{
		{"good", `{"a":[{"b":"\u0000"},1e-300,true,null]}`, "", "", 0},
		{"any value", ` 7 `, "", "", 0},
		{"nothing", "", "", jsonstrict.NotJSON, 0},
		{"too large", strings.Repeat(" ", 2001), "", jsonstrict.TooLarge, 0},
		{"too deep", `{"a":[[[]]]}`, "/a/0/0", jsonstrict.TooDeep, 8},
		{"too deep, and never closed", strings.Repeat("[", 1000), "/0/0/0", jsonstrict.TooDeep, 4},
		{"too many", "[" + strings.Repeat("0,", 19) + "0]", "/19", jsonstrict.TooManyValues, 40},
		{"number too large", `[0,1e999]`, "/1", jsonstrict.NumberRange, 8},
		{"number too small", `[1e-999999999]`, "/0", jsonstrict.NumberRange, 13},
		{"number too long", `[` + strings.Repeat("1", 301) + "." + strings.Repeat("1", 700) + `]`, "/0", jsonstrict.NumberRange, 1003},
		{"twice", `{"a":{"b/c":1,"b\u002fc":2}}`, "/a/b~1c", jsonstrict.DuplicateMember, 14},
		{"syntax", `{"a":[1,tru]}`, "/a/1", jsonstrict.NotJSON, 11},
		{"cut", `{"a":[1,`, "/a", jsonstrict.NotJSON, 8},
		{"no colon", `{"a" 1}`, "/a", jsonstrict.NotJSON, 5},
		{"wrong bracket", `{"a":[1}`, "/a", jsonstrict.NotJSON, 7},
		{"name is a number", `{1:2}`, "", jsonstrict.NotJSON, 1},
		{"more", `{}{}`, "", jsonstrict.NotJSON, 2},
		{"half pair", `["","\udead"]`, "/1", jsonstrict.NotUTF8, 5},
		{"not UTF-8", "{\"a\":[1,\"x\xff\"]}", "/a/1", jsonstrict.NotUTF8, 10},
		{"a name that is not UTF-8", "{\"a\xff\":1}", "", jsonstrict.NotUTF8, 3},
		{"not UTF-8, behind an error of grammar", "{\"a\" 1 \"\xff\"}", "", jsonstrict.NotUTF8, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := jsonstrict.Check([]byte(c.document), l)
			if got == nil {
				got = &jsonstrict.Error{}
			}
			if got.Code != c.code || got.Pointer != c.pointer || got.Offset != c.offset {
				t.Errorf("got %q at %q, byte %d: %s", got.Code, got.Pointer, got.Offset, got.Message)
			}
		})
	}
}

func TestParseKnowsWhereThingsStand(t *testing.T) {
	root, err := jsonstrict.Parse([]byte(` {"b": [1, "x"], "a": {}}`), jsonstrict.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	b, a := root.Items[0], root.Items[1]
	if strings.Join(root.Names, "") != "ba" || root.Start != 1 || b.Start != 2 || a.Start != 17 || b.Items[0].Start != 8 || b.Items[1].Start != 11 {
		t.Errorf("%+v", root)
	}
}

func TestPointers(t *testing.T) {
	value := map[string]any{"a/b~c": []any{"x", map[string]any{"": 1}}}
	at := jsonstrict.Pointer("", "a/b~c", 1, "")
	if at != "/a~1b~0c/1/" {
		t.Error(at)
	}
	if found, ok := jsonstrict.Resolve(value, at); !ok || found != 1 {
		t.Errorf("found %v", found)
	}
	for _, nowhere := range []string{"a", "/a", "/a~1b~0c/2", "/a~1b~0c/-1", "/a~1b~0c/x", "/a~1b~0c/0/x"} {
		if found, ok := jsonstrict.Resolve(value, nowhere); ok || found != nil {
			t.Errorf("%s: found %v", nowhere, found)
		}
	}
	if names, ok := jsonstrict.Tokens("/~01/"); !ok || len(names) != 2 || names[0] != "~1" || names[1] != "" {
		t.Errorf("%q", names)
	}
}
