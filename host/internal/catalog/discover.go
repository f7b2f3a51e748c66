package catalog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Discover lists the executable files of a directory, such as bin/nodes, in order of
// their names. A directory that does not exist has none.
func Discover(dir string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []string
	for _, f := range files {
		if strings.HasPrefix(f.Name(), ".") {
			continue
		}
		path := filepath.Join(dir, f.Name())
		info, err := os.Stat(path) // follows links
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			continue
		}
		if len(found) == maxNodes {
			return nil, fmt.Errorf("%s has more than %d executables", dir, maxNodes)
		}
		found = append(found, path)
	}
	return found, nil
}
