package nodes

import (
	"embed"
	"fmt"
)

//go:embed schema/*.json
var files embed.FS

// schema is one embedded file; the names are constants of this package.
func schema(name string) []byte {
	b, err := files.ReadFile("schema/" + name + ".json")
	if err != nil {
		panic(fmt.Sprintf("nodes: no schema %q in this build", name))
	}
	return b
}
