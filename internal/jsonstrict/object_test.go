package jsonstrict_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// limits are like those of a request.
var limits = jsonstrict.Limits{Bytes: 16 << 20, Depth: 64, Values: 10_000, NoNUL: true}

type person struct {
	Name   string
	Age    int
	Admin  bool
	Pets   []string
	Filled bool
	Height *int
	Home   string
}

func readPerson(document string) (person, []jsonstrict.Error) {
	var p person
	faults := jsonstrict.Read([]byte(document), limits, func(o *jsonstrict.Object) {
		p.Filled = true
		o.String("name", &p.Name)
		o.Int("age", &p.Age)
		o.Bool("isAdmin", &p.Admin)
		o.OptionalInt("height", &p.Height)
		o.Object("home", func(home *jsonstrict.Object) { home.String("town", &p.Home) })
		o.Each("pets", func(n int) { p.Pets = make([]string, n) }, func(i int, pet *jsonstrict.Object) { pet.String("name", &p.Pets[i]) })
	})
	return p, faults
}

func TestRead(t *testing.T) {
	p, faults := readPerson(` {"name":"Zoë \ud83d\ude00 \\ud800","age":3e0,"isAdmin":true,"pets":[{"name":"Rex"},{"name":null}]} `)
	if faults != nil {
		t.Fatal(faults)
	}
	if p.Name != `Zoë 😀 \ud800` || p.Age != 3 || !p.Admin || len(p.Pets) != 2 || p.Pets[0] != "Rex" || p.Pets[1] != "" {
		t.Errorf("read %+v", p)
	}
}

func TestOptional(t *testing.T) {
	p, faults := readPerson(`{"height":0,"home":{"town":"Rio"}}`)
	if faults != nil || p.Height == nil || *p.Height != 0 || p.Home != "Rio" {
		t.Errorf("read %+v, %v", p, faults)
	}
	if p, faults = readPerson(`{"height":null,"home":null}`); faults != nil || p.Height != nil || p.Home != "" {
		t.Errorf("read %+v, %v", p, faults)
	}
}

func TestFaults(t *testing.T) {
	nest := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	rows := []struct{ name, document, want string }{
		{"empty", "  ", "|it is empty"},
		{"not JSON", "hello", "|invalid character 'h' looking for beginning of value at byte 0"},
		{"cut", `{"name":"a"`, "|unexpected end of JSON input at byte 11"},
		{"comma", `{"name":"a",}`, "|invalid character '}' looking for beginning of object key string at byte 12"},
		{"two values", `{} {}`, "|there is more after the JSON value"},
		{"trailing bracket", `{}]`, "|there is more after the JSON value"},
		{"array", `[]`, "|it must be an object, not an array"},
		{"null", `null`, "|it must be an object, not null"},
		{"not UTF-8", "{\"name\":\"\xff\"}", "/name|it is not UTF-8"},
		{"high half", `{"name":"\ud83d"}`, `/name|it has half of a \u surrogate pair`},
		{"low half", `{"name":"\ude00"}`, `/name|it has half of a \u surrogate pair`},
		{"high half twice", `{"name":"\ud83d\ud83d"}`, `/name|it has half of a \u surrogate pair`},
		{"escaped backslash", `{"name":"\\\ud83d"}`, `/name|it has half of a \u surrogate pair`},
		{"U+0000", `{"name":"a\u0000"}`, "/name|a text contains the character U+0000"},
		{"twice", `{"name":"a","name":"b"}`, `/name|"name" is given twice`},
		{"twice, escaped", `{"name":"a","n\u0061me":"b"}`, `/name|"name" is given twice`},
		{"unknown", `{"na/me":1}`, `/na~1me|unknown member "na/me"`},
		{"number for text", `{"name":5511}`, "/name|/name must be a string, not the number 5511"},
		{"fraction", `{"age":1.5}`, "/age|/age must be a whole number, not the number 1.5"},
		{"no number", `{"age":1e400}`, "/age|/age must be a whole number, not the number 1e400"},
		{"text for bool", `{"isAdmin":"true"}`, "/isAdmin|/isAdmin must be true or false, not a string"},
		{"object for array", `{"pets":{}}`, "/pets|/pets must be an array, not an object"},
		{"text in array", `{"pets":[{},"x"]}`, "/pets/1|/pets/1 must be an object, not a string"},
		{"inside", `{"pets":[{"name":[]}]}`, "/pets/0/name|/pets/0/name must be a string, not an array"},
		{"text for object", `{"home":"Rio"}`, "/home|/home must be an object, not a string"},
		{"inside an object", `{"home":{"town":1}}`, "/home/town|/home/town must be a string, not the number 1"},
		{"deep enough", nest(limits.Depth), `/a|unknown member "a"`},
		{"too deep", nest(limits.Depth + 1), strings.Repeat("/a", limits.Depth) + "|it is nested more than 64 deep"},
		{"many", `{"pets":[` + strings.Repeat("0,", limits.Values) + `0]}`, "/pets/9998|it has more than 10000 values"},
		{"long", `{"name":"` + strings.Repeat("x", limits.Bytes) + `"}`, "|it is 16777227 bytes long, more than 16777216"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, faults := readPerson(row.document)
			if len(faults) != 1 || faults[0].Pointer+"|"+faults[0].Message != row.want {
				t.Errorf("faults %+v, want %q", faults, row.want)
			}
		})
	}
}

func TestLargeNumbersStayLarge(t *testing.T) {
	for document, want := range map[string]int{`{"age":1e12}`: 1<<31 - 1, `{"age":-1e12}`: -1 << 31} {
		if p, faults := readPerson(document); faults != nil || p.Age != want {
			t.Errorf("%s: %d, %v", document, p.Age, faults)
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, faults := readPerson(`{"Name":"a","is_admin":true,"age":"3","pets":[{"nam":1}]}`)
	var got []string
	for _, f := range faults {
		got = append(got, f.Pointer+": "+f.Suggestion)
	}
	want := "/age: ,/pets/0/nam: remove it; known here: name,/Name: write name,/is_admin: write isAdmin"
	if strings.Join(got, ",") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ","), want)
	}
}

func TestFaultsAreBounded(t *testing.T) {
	_, faults := readPerson(`{"pets":[` + strings.Repeat("0,", 100) + `0]}`)
	if len(faults) != 20 {
		t.Errorf("%d faults, want 20", len(faults))
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{`{"name":"a","age":3,"isAdmin":false,"pets":[{"name":"b"}]}`, `{"a":1,"a":2}`, `{"name":"\ud83d\ude00"}`, "[[[", `{"\u`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		p, faults := readPerson(document)
		if len(faults) > 0 {
			for _, fault := range faults {
				if fault.Message == "" {
					t.Fatalf("%q: a fault without a message", document)
				}
			}
			return
		}
		// Accepted input is JSON, and means the same to encoding/json.
		var same struct {
			Name string `json:"name"`
			Pets []struct {
				Name string `json:"name"`
			} `json:"pets"`
		}
		if err := json.Unmarshal([]byte(document), &same); err != nil {
			t.Fatalf("%q passed: %v", document, err)
		}
		if same.Name != p.Name || len(same.Pets) != len(p.Pets) {
			t.Fatalf("%q: read %+v, encoding/json reads %+v", document, p, same)
		}
	})
}
