package v1

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// shown is an operation of the API as the page shows it.
type shown struct {
	ID, Method, Path, Summary, About, Example string
	Right                                     Right
	Parameters                                []struct{ Name, In, About string }
	Answers                                   []string
}

// readable turns the OpenAPI description into a page for people: one document without scripts.
func readable(d *huma.OpenAPI) ([]byte, error) {
	byTag := map[string][]shown{}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
			if op := described(d.Paths[path], method); op != nil {
				byTag[op.Tags[0]] = append(byTag[op.Tags[0]], shownOf(op, method, path))
			}
		}
	}
	type tag struct {
		Name       string
		Operations []shown
	}
	page := struct {
		Title, About string
		Tags         []tag
	}{Title: d.Info.Title, About: d.Info.Description}
	for _, name := range slices.Sorted(maps.Keys(byTag)) {
		page.Tags = append(page.Tags, tag{name, byTag[name]})
	}
	var out bytes.Buffer
	err := pageTemplate.Execute(&out, page)
	return out.Bytes(), err
}

func shownOf(op *huma.Operation, method, path string) shown {
	s := shown{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, About: op.Description}
	s.Right, _ = op.Extensions["x-right"].(Right)
	for _, p := range op.Parameters {
		s.Parameters = append(s.Parameters, struct{ Name, In, About string }{p.Name, p.In, p.Description})
	}
	if op.RequestBody != nil {
		for _, kind := range slices.Sorted(maps.Keys(op.RequestBody.Content)) {
			if example := op.RequestBody.Content[kind].Example; example != nil {
				s.Example = exampleText(example)
			}
		}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		if status != "default" {
			s.Answers = append(s.Answers, strings.TrimSpace(status+" "+op.Responses[status].Description))
		}
	}
	return s
}

func exampleText(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}
