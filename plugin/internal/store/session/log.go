package session

import (
	"log/slog"

	waLog "go.mau.fi/whatsmeow/util/log"
)

// waLogger gives whatsmeow's session store our log. Its messages name addresses,
// which are phone numbers, so only the level and the format reach the log.
type waLogger struct{ log *slog.Logger }

var _ waLog.Logger = waLogger{}

// Errorf logs the format at level error.
func (l waLogger) Errorf(format string, _ ...any) { l.log.Error("session store", "event", format) }

// Warnf logs the format at level warn.
func (l waLogger) Warnf(format string, _ ...any) { l.log.Warn("session store", "event", format) }

// Infof logs the format at level debug.
func (l waLogger) Infof(format string, _ ...any) { l.log.Debug("session store", "event", format) }

// Debugf discards.
func (l waLogger) Debugf(string, ...any) {}

// Sub names the module.
func (l waLogger) Sub(module string) waLog.Logger {
	return waLogger{l.log.With(slog.String("module", module))}
}
