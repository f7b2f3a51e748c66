package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tapnode/tapnode/host/internal/app"
	"github.com/tapnode/tapnode/host/internal/catalog"
	"github.com/tapnode/tapnode/internal/buildtest"
)

// installed is the directory with the real node binary, which is built and locked once.
var installed []app.Installed

// hostBinary and nodeBinary are the two programs, as they are shipped.
var hostBinary, nodeBinary string

func TestMain(m *testing.M) {
	if raw := os.Getenv(bareEnv); raw != "" {
		os.Exit(bareMain(raw))
	}
	if raw := os.Getenv(waitingEnv); raw != "" {
		if err := waitingMain(raw); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tapnode-bench-nodes-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if installed, err = install(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func install(ctx context.Context, dir string) ([]app.Installed, error) {
	hostBinary, nodeBinary = filepath.Join(dir, "tapnode"), filepath.Join(dir, "whatsapp-send-buttons")
	for binary, source := range map[string]string{hostBinary: "host", nodeBinary: "plugin"} {
		if err := buildtest.Program(ctx, source, binary); err != nil {
			return nil, err
		}
	}
	entry, _, err := catalog.Lock(ctx, nodeBinary)
	if err != nil {
		return nil, err
	}
	lock := catalog.Lockfile{Version: 1, Nodes: []catalog.Entry{entry}}
	if err := lock.Save(filepath.Join(dir, catalog.LockName)); err != nil {
		return nil, err
	}
	return app.Installation(ctx, dir, dir)
}
