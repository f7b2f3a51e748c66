package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"go.mau.fi/libsignal/logger"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/socket"
	waLog "go.mau.fi/whatsmeow/util/log"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// longDigits matches phone numbers, LIDs and group ids. They identify people, so they never reach a
// log.
var longDigits = regexp.MustCompile(`\d{7,}`)

// stanza matches an XML node up to the end of the line: whatsmeow prints whole nodes, with names
// and ciphertext.
var stanza = regexp.MustCompile(`<([a-z:]+)[ >/].*`)

// redact hides the digits of every JID in a line and the content of every stanza.
func redact(line string) string {
	return longDigits.ReplaceAllString(stanza.ReplaceAllString(line, "<$1 …>"), "<number>")
}

// waLogger writes whatsmeow's log lines to slog. It drops debug lines: they contain whole stanzas,
// and formatting them costs more than the work they describe.
type waLogger struct{ log *slog.Logger }

func (l waLogger) write(level slog.Level, msg string, args []any) {
	if slices.ContainsFunc(args, cut) {
		level = slog.LevelDebug
	}
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, redact(fmt.Sprintf(msg, args...)))
	}
}

// cut reports whether arg is the error of work that ended together with its connection or its
// device. Such errors need no warning: only we cancel whatsmeow's contexts, close its database and
// delete devices, the supervisor reports the end of a connection once, and a rejected pairing was
// abandoned by its own caller.
func cut(arg any) bool {
	err, ok := arg.(error)
	if !ok {
		return false
	}
	_, disconnected := errors.AsType[*whatsmeow.DisconnectedError](err)
	return disconnected || errors.Is(err, io.EOF) || errors.Is(err, errDeleted) || errors.Is(err, whatsmeow.ErrPairRejectedLocally) ||
		errors.Is(err, context.Canceled) || errors.Is(err, whatsmeow.ErrNotConnected) ||
		errors.Is(err, socket.ErrSocketClosed) || errors.Is(err, net.ErrClosed) || errors.Is(err, sqldb.ErrClosed) || strings.Contains(err.Error(), "sql: database is closed") // database/sql does not export it
}

func (l waLogger) Errorf(msg string, args ...any) { l.write(slog.LevelError, msg, args) }
func (l waLogger) Warnf(msg string, args ...any)  { l.write(slog.LevelWarn, msg, args) }
func (l waLogger) Infof(msg string, args ...any)  { l.write(slog.LevelInfo, msg, args) }
func (waLogger) Debugf(string, ...any)            {}

func (l waLogger) Sub(module string) waLog.Logger {
	return waLogger{l.log.With("module", module)}
}

// signalLogger is libsignal's logger. The library's default logger prints to stdout, where it would
// break the plugin handshake.
type signalLogger struct{ to atomic.Pointer[slog.Logger] }

func (*signalLogger) Debug(string, string)  {}
func (*signalLogger) Info(string, string)   {}
func (*signalLogger) Configure(string)      {}
func (l *signalLogger) Warning(_, m string) { l.write(slog.LevelWarn, m) }
func (l *signalLogger) Error(_, m string)   { l.write(slog.LevelError, m) }

func (l *signalLogger) write(level slog.Level, m string) {
	if to := l.to.Load(); to != nil {
		to.Log(context.Background(), level, redact(m), "module", "signal")
	}
}

// signalLog is the process-wide libsignal logger. It writes to the log of the newest pool.
var signalLog signalLogger

// libsignal reads its logger without a lock, so ours is installed before anything runs.
func init() {
	var l logger.Loggable = &signalLog
	logger.Setup(&l)
}
