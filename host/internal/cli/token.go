package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/host/internal/config"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// dataFlag adds --data, the host's own directory.
func dataFlag(fs *flag.FlagSet) *string {
	dir := os.Getenv(config.EnvName("data"))
	if state, err := os.UserConfigDir(); dir == "" && err == nil {
		dir = filepath.Join(state, "tapnode")
	} else if dir == "" {
		dir = "tapnode-data"
	}
	return fs.String("data", dir, "`DIR` the host keeps everything in, made with mode 0700")
}

func makeData(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return environment(fmt.Errorf("data directory %s: %w; choose another with --data", dir, err))
	}
	return nil
}

// openAccess opens the tokens of the host, with those that an earlier host kept in a file, and the
// account token that was given.
func (h *host) openAccess(ctx context.Context, given string) error {
	var err error
	if h.access, err = access.Open(ctx, access.Options{DB: h.runs.DB(), Logger: h.log}); err != nil {
		return environment(errors.New("the tokens: " + sqldb.Reason(err)))
	}
	if err := h.access.Import(ctx, filepath.Join(h.dataDir, "tokens.json")); err != nil {
		return environment(err)
	}
	if given != "" {
		if err := h.access.Give(given); err != nil {
			return invalid("%w", err)
		}
	}
	h.access.Start()
	return nil
}
