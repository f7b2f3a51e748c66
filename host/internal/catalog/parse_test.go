package catalog_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/host/internal/catalog"
)

var (
	sum   = strings.Repeat("ab", 32)
	entry = `{"name":"demo","path":"bin/nodes/demo","version":"1.2.3","size":7,"sha256":"` + sum + `","manifest":"` + sum + `"}`
)

func with(old, replacement string) string {
	if !strings.Contains(entry, old) {
		panic("not in the entry: " + old)
	}
	return `{"version":1,"nodes":[` + strings.Replace(entry, old, replacement, 1) + `]}`
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"good":            {with("demo", "demo"), ""},
		"no nodes":        {`{"version":1,"nodes":[]}`, ""},
		"syntax":          {"{\n  \"version\": 1,\n  nodes\n}", "line 3, column 3: not JSON"},
		"not an object":   {`[]`, "it must be an object, not an array"},
		"empty":           {``, "line 1, column 1: not JSON"},
		"missing":         {`{"version":1}`, "/nodes is missing"},
		"other version":   {`{"version":2,"nodes":[]}`, "/version: version 2 is not known"},
		"unknown member":  {`{"version":1,"nodes":[],"a/b":1}`, "/a~1b: unknown member"},
		"repeated member": {`{"version":1,"version":1,"nodes":[]}`, `/version: "version" is given twice`},
		"too deep":        {`{"version":1,"nodes":[[[[[[[[`, "/nodes/0/0/0/0/0/0/0: it is nested more than 8 deep"},
		"entry's type":    {`{"version":1,"nodes":[7]}`, "/nodes/0 must be an object, not the number 7"},
		"member's type":   {with(`"demo"`, `7`), "/nodes/0/name must be a string"},
		"null":            {with(`7`, `null`), "/nodes/0/size is missing"},
		"size":            {with(`7`, `-1`), "/nodes/0/size: -1 bytes is not the size"},
		"name":            {with(`"demo"`, `"../x"`), `/nodes/0/name: "../x" is not a node's name`},
		"path":            {with(`bin/nodes/demo`, ``), "/nodes/0/path: "},
		"digest":          {with(`"sha256":"ab`, `"sha256":"AB`), "/nodes/0/sha256: "},
		"same name":       {`{"version":1,"nodes":[` + entry + `,` + entry + `]}`, `/nodes/1/name: "demo" is already the name of /nodes/0`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := catalog.Parse([]byte(c.in))
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Fatalf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestParseReportsAll(t *testing.T) {
	_, err := catalog.Parse([]byte(`{"version":1,"nodes":[{"name":"A"},` + entry + `,{}],"x":1}`))
	for _, want := range []string{"/nodes/0/name:", "/nodes/0/sha256 is missing", "/nodes/2/path is missing", "/x: unknown"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(with("demo", "other")))
	f.Add([]byte(`{"version":1,"nodes":[{}]}`))
	f.Add([]byte(`{"version":1,"nodes":[]}`))
	f.Add([]byte(`{"version":1e0,"nodes":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		lock, err := catalog.Parse(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(lock)
		if err != nil {
			t.Fatal(err)
		}
		second, err := catalog.Parse(again)
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if diff := cmp.Diff(lock, second); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"name":"demo","version":"1","sdkVersion":"0","operations":[{"id":"demo.echo@1","kind":"ACTION","inputSchema":{"type":"object"}}]}`))
	f.Add([]byte(`{"name":"demo","operations":[{"events":[{"schema":null}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := catalog.ParseManifest(data)
		if err != nil {
			return
		}
		first, err := catalog.ManifestDigest(m)
		if err != nil {
			t.Fatal(err)
		}
		printed, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		again, err := catalog.ParseManifest(printed)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := catalog.ManifestDigest(again); err != nil || first != second {
			t.Fatalf("the digest depends on white space: %s, %s, %v", first, second, err)
		}
	})
}
