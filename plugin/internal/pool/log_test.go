package pool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/socket"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// TestLog: whatsmeow's log lines name nobody, and what our own stop interrupts is not logged as an error.
func TestLog(t *testing.T) {
	for _, c := range []struct {
		err         error
		want, level string
	}{
		{errors.New("no key for 5511988880001@s.whatsapp.net"), "no key for <number>@s.whatsapp.net", "ERROR"},
		{errors.New(`unexpected <message from="5511988880001@s.whatsapp.net">`), "unexpected <message …>", "ERROR"},
		{context.DeadlineExceeded, "deadline exceeded", "ERROR"},
		{fmt.Errorf("save push name: %w", context.Canceled), "save push name: context canceled", "DEBUG"},
		{fmt.Errorf("fetch app state: %w", whatsmeow.ErrNotConnected), "websocket not connected", "DEBUG"},
		{fmt.Errorf("fetch app state: %w", socket.ErrSocketClosed), "socket is closed", "DEBUG"},
		{fmt.Errorf("get version: %w", sqldb.ErrClosed), "is closed", "DEBUG"},
		{fmt.Errorf("fetch: %w", whatsmeow.ErrIQDisconnected), "before info query", "DEBUG"},
		{errors.New("get version: sql: database is closed"), "is closed", "DEBUG"},
	} {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		waLogger{log}.Sub("Client").Errorf("Failed: %v", c.err)
		if line := out.String(); !strings.Contains(line, c.want) || !strings.Contains(line, "level="+c.level) {
			t.Errorf("%v is logged as %s", c.err, line)
		}
	}
}
