package sdk

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// LogLevelEnv names the environment variable that sets the log level: DEBUG, INFO, WARN or ERROR.
// INFO is the default.
const LogLevelEnv = "PLUGIN_LOG_LEVEL"

// maxLogLine is the length at which a host cuts a line; a cut line is not valid JSON.
const maxLogLine = 64 << 10

var logger atomic.Pointer[slog.Logger]

// Logger is the log of the node binary. Under a host it writes one JSON object
// per line to stderr, with hclog's names (@timestamp, @level, @message), which
// every go-plugin host reads; [Main] makes it slog's default, and log's too.
// Without a host it is slog's default. Never log secrets or phone numbers.
func Logger() *slog.Logger {
	if l := logger.Load(); l != nil {
		return l
	}
	return slog.Default()
}

func setLogger(w io.Writer) {
	l := slog.New(newLogHandler(w, os.Getenv(LogLevelEnv)))
	logger.Store(l)
	slog.SetDefault(l)
}

func newLogHandler(w io.Writer, level string) slog.Handler {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelInfo
	}
	return slog.NewJSONHandler(lineLimit{w}, &slog.HandlerOptions{Level: least, ReplaceAttr: hclogNames})
}

// hclogNames gives slog's own attributes the names and forms of hclog.
func hclogNames(groups []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration { // JSON would write nanoseconds
		return slog.String(a.Key, a.Value.Duration().String())
	}
	if len(groups) > 0 {
		return a
	}
	switch {
	case a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime:
		return slog.String("@timestamp", a.Value.Time().Format("2006-01-02T15:04:05.000000Z07:00"))
	case a.Key == slog.LevelKey:
		return slog.String("@level", strings.ToLower(a.Value.String()))
	case a.Key == slog.MessageKey:
		return slog.String("@message", a.Value.String())
	}
	return a
}

// linesDropped returns the log line that says how many lines are missing.
func linesDropped(n int) []byte {
	var line bytes.Buffer
	slog.New(newLogHandler(&line, "")).Warn("log lines were lost: nobody read stderr in time", "lost", n)
	return line.Bytes()
}

// lineLimit replaces lines that a host would cut.
type lineLimit struct{ w io.Writer }

func (l lineLimit) Write(line []byte) (int, error) {
	if len(line) <= maxLogLine {
		return l.w.Write(line)
	}
	short := slog.New(newLogHandler(l.w, ""))
	short.Warn("a log line was too long and is left out", "bytes", len(line), "at", time.Now())
	return len(line), nil
}
