package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The two worlds a data directory can belong to.
const (
	genuine   = "real"
	simulated = "simulated"
)

// PinWorld ties a data directory to the real WhatsApp or to a simulated one, whichever
// uses it first. Sessions of one must never be offered to the other: WhatsApp would see
// logins of devices it does not know, and a simulator would make the node forget real ones.
// Call it under [Claim].
func PinWorld(dir string, simulation bool) error {
	mine, other := genuine, "--simulate"
	if simulation {
		mine, other = simulated, "the real WhatsApp"
	}
	path := filepath.Join(dir, "world")
	was, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.WriteFile(path, []byte(mine+"\n"), 0o600); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("data directory: %w", err)
	case strings.TrimSpace(string(was)) != mine:
		return fmt.Errorf("%s belongs to a host that used %s; choose another --data", dir, other)
	}
	return nil
}
