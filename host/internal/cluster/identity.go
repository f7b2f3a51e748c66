package cluster

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// identityName is the file in the data directory with the host's id. A host that is back soon has
// what was its own, without a move.
const identityName = "host.id"

// identity reads the host's id, and makes it the first time. A copied directory has the same: the
// process that renews last is that host, and the other one ends.
func identity(dir string) (string, error) {
	path := filepath.Join(dir, identityName)
	raw, err := os.ReadFile(path)
	if err == nil {
		id := strings.TrimSpace(string(raw))
		if id == "" || len(id) > 64 {
			return "", fmt.Errorf("%s is damaged: delete it, and the host is a new one", path)
		}
		return id, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the host's id: %w", err)
	}
	id := strings.ToLower(rand.Text()[:10])
	if err := os.WriteFile(path, []byte(id+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("the host's id: %w", err)
	}
	return id, nil
}
