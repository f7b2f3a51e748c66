package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk/schema"
)

// maxFile bounds a configuration, in bytes.
const maxFile = 1 << 20

// File is a configuration that has been checked. The zero File is empty.
type File struct {
	path   string
	values map[string][]string // by member
}

// Read reads a file, YAML or JSON. Findings say what is wrong with it; if there are any, the File
// is empty.
func Read(path string) (File, []schema.Finding, error) {
	file, err := os.Open(path)
	if err != nil {
		return File{}, nil, err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return File{}, nil, err
	}
	if len(raw) > maxFile {
		return File{}, wrong(fmt.Sprintf("it has more than %d bytes", maxFile)), nil
	}
	document, findings := asJSON(raw)
	if findings != nil {
		return File{}, findings, nil
	}
	form, err := schema.Compile(schemas.Read(schemas.Config))
	if err != nil {
		return File{}, nil, err
	}
	if _, findings := form.Check(document); len(findings) > 0 {
		return File{}, findings, nil
	}
	values, err := texts(document)
	return File{path, values}, nil, err
}

func wrong(message string) []schema.Finding {
	return []schema.Finding{{Code: "syntax", Message: message}}
}

var where = regexp.MustCompile(`^yaml: (line \d+: )?`)

// asJSON reads one YAML document, which may be JSON, since that is a subset.
func asJSON(raw []byte) ([]byte, []schema.Finding) {
	var value any
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(&value); errors.Is(err, io.EOF) {
		return []byte("{}"), nil
	} else if err != nil {
		line := where.FindStringSubmatch(err.Error())
		said := "it is not YAML"
		if line != nil && line[1] != "" { // the rest of the error quotes the file
			said = line[1] + "that is not YAML, or a name that is there already"
		}
		return nil, wrong(said)
	}
	if dec.Decode(new(any)) == nil {
		return nil, wrong("it holds more than one document")
	}
	if value == nil {
		return []byte("{}"), nil
	}
	document, err := json.Marshal(value)
	if err != nil {
		return nil, wrong("it has a key that is not a text, or a number that is not finite")
	}
	return document, nil
}

// texts formats values as flags accept them. The schema allows only strings, numbers, booleans and
// lists of strings.
func texts(document []byte) (map[string][]string, error) {
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.UseNumber()
	var members map[string]any
	if err := dec.Decode(&members); err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for name, value := range members {
		switch v := value.(type) {
		case string:
			out[name] = []string{v}
		case bool:
			out[name] = []string{strconv.FormatBool(v)}
		case json.Number:
			out[name] = []string{v.String()}
		case []any:
			out[name] = []string{}
			for _, item := range v {
				out[name] = append(out[name], fmt.Sprint(item))
			}
		}
	}
	return out, nil
}
