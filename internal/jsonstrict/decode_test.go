package jsonstrict_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

type item struct {
	Name string `json:"name"`
	Size *int   `json:"size"`
}

type doc struct {
	Title string    `json:"title"`
	Count int8      `json:"count"`
	On    bool      `json:"on"`
	At    time.Time `json:"at"`
	Items []item    `json:"items"`
	Inner *item     `json:"inner"`
}

func TestDecodeReadsEveryKind(t *testing.T) {
	var d doc
	in := ` {"title":"x","count":3,"on":true,"at":"2026-11-22T00:00:00Z","items":[{"name":"a","size":7},{"name":"b","size":null}],"inner":{"name":"c"}} `
	if err := jsonstrict.Decode([]byte(in), limits, &d); err != nil {
		t.Fatal(err)
	}
	if d.Title != "x" || d.Count != 3 || !d.On || d.At.Year() != 2026 || len(d.Items) != 2 ||
		*d.Items[0].Size != 7 || d.Items[1].Size != nil || d.Inner.Name != "c" {
		t.Fatalf("decoded %+v", d)
	}
}

func TestDecodeNamesThePlace(t *testing.T) {
	for _, c := range []struct{ name, in, pointer, message string }{
		{"empty", " ", "", "empty"},
		{"syntax", `{"title":`, "/title", "not valid JSON"},
		{"trailing", `{} {}`, "", "not valid JSON"},
		{"top type", `[]`, "", "must be an object, not an array"},
		{"unknown", `{"titel":"x"}`, "/titel", "known here: at, count"},
		{"case", `{"Title":"x"}`, "/Title", "unknown"},
		{"doubled", `{"title":"x","title":"y"}`, "/title", "twice"},
		{"wrong type", `{"title":5}`, "/title", "must be a string, not a number"},
		{"null", `{"on":null}`, "/on", "must be a boolean, not null"},
		{"overflow", `{"count":300}`, "/count", "does not fit"},
		{"fraction", `{"count":1.5}`, "/count", "does not fit"},
		{"own decoder", `{"at":"noon"}`, "/at", "parsing time"},
		{"own decoder, null", `{"at":null}`, "/at", "must not be null"},
		{"nested", `{"items":[{"name":"a"},{"name":7}]}`, "/items/1/name", "must be a string"},
		{"escaped pointer", `{"a/b~c":1}`, "/a~1b~0c", "unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d doc
			err := jsonstrict.Decode([]byte(c.in), limits, &d)
			var e *jsonstrict.Error
			if !errors.As(err, &e) || e.Pointer != c.pointer || !strings.Contains(e.Message, c.message) {
				t.Fatalf("got %v, want %q at %q", err, c.message, c.pointer)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"title":"x","count":3,"items":[{"name":"a"}],"inner":null}`))
	f.Add([]byte(`{"items":[[[{"name":1e99}]]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d doc
		var e *jsonstrict.Error
		if err := jsonstrict.Decode(data, limits, &d); err != nil && !errors.As(err, &e) {
			t.Fatalf("an error without a place: %v", err)
		}
	})
}
