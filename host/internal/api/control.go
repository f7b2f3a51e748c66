package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"

	"github.com/tapnode/tapnode/host/internal/access"
)

// trusted gives every request all rights: only the owner of the data directory can reach the control
// socket.
func trusted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, access.Owner())))
	})
}

// Control serves the same routes on a Unix socket of mode 0600 until Stop, without tokens and rate
// limits, for the commands of the host's operator. The directory must be private, and no other host may
// use the path.
func (s *Server) Control(ctx context.Context, path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // left behind by a host that was killed
		return fmt.Errorf("control socket: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("control socket: %w", err), l.Close())
	}
	go func() {
		if err := s.control.Serve(ownersOnly{l}); !errors.Is(err, http.ErrServerClosed) {
			s.opt.Logger.Error("control socket ended", "err", err)
		}
	}()
	return nil
}

// ownersOnly refuses connections of users other than root and the one that runs this process, in case
// the modes of the directories ever let them through.
type ownersOnly struct{ net.Listener }

func (l ownersOnly) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, err := peer(c); err == nil && (uid == os.Geteuid() || uid == 0) {
			return c, nil
		}
		_ = c.Close() // without a response: the peer is not entitled to one
	}
}
