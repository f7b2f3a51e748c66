// Package flows holds the example flows, each a file that a newcomer runs on a simulated phone.
package flows

import (
	"embed"
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Example is a flow to begin with.
type Example struct {
	ID      string          // of the flow, and the name of its file
	Summary string          // what it shows
	Source  string          // the file
	People  []string        // the numbers it writes to
	Start   json.RawMessage // what a run of it begins with, as POST /v1/flows/{flow}/runs takes it
}

// starts are what those begin with that have no trigger of type manual.
var starts = map[string]string{
	"webhook": `{"trigger":"paid","event":{"method":"POST","path":"order-paid","query":{},"headers":{"content-type":"application/json"},"body":{"id":17,"status":"paid","customer":{"phone":"5511999990001"}}}}`,
}

// All are the examples by their ids.
func All() []Example {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // they are in this build
	}
	var out []Example
	for _, entry := range entries {
		raw, err := files.ReadFile(entry.Name())
		if err != nil {
			panic(err)
		}
		e := Example{ID: strings.TrimSuffix(entry.Name(), path.Ext(entry.Name())), Source: string(raw), Start: json.RawMessage("{}")}
		e.Summary = summary(e.Source)
		if start := starts[e.ID]; start != "" {
			e.Start = json.RawMessage(start)
		}
		e.People = people(e.Source + string(e.Start))
		out = append(out, e)
	}
	return out
}

var number = regexp.MustCompile(`"(\d{10,15})"`)

func people(text string) []string {
	var out []string
	for _, m := range number.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}

// summary is the first paragraph of the comment that a file begins with.
func summary(source string) string {
	var words []string
	for line := range strings.Lines(source) {
		text, comment := strings.CutPrefix(line, "#")
		if text = strings.TrimSpace(text); !comment || text == "" {
			break
		}
		words = append(words, text)
	}
	return strings.Join(words, " ")
}
